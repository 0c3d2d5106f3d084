"""`lading serve`: the daemon in the foreground. Reads the configuration, refuses a bad one, runs until a signal."""

import asyncio
import gc
import sys
from dataclasses import replace
from pathlib import Path

import click

from cri.command.exit_codes import ExitCode, exits
from cri.config import Settings
from cri.config_reader import read_configuration


@exits(asks_daemon=False)
@click.command("serve")
@click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path),
    help="Read FILE instead of /etc/lading/config.toml.",
)
@click.option("--root", help="Directory of what survives a reboot (overrides the file).")
@click.option(
    "--state", help="Directory of what lives as long as the machine runs (overrides the file)."
)
@click.option("--address", metavar="unix:///PATH", help="CRI socket (overrides the file).")
def command(*, file: Path | None, root: str | None, state: str | None, address: str | None) -> int:
    r"""Run the daemon in the foreground until SIGTERM or SIGINT; containers go on running when it ends.

    \b
    Examples:
      lading serve
      lading serve --config ./lading.toml
      lading serve --root /tmp/l/root --state /tmp/l/state --address unix:///tmp/l/lading.sock
    """
    configuration = read_configuration(file)
    if configuration.findings:
        for finding in configuration.findings:
            click.echo(str(finding), err=True)
        click.echo(
            "lading: the configuration was refused; see 'lading config check --help'", err=True
        )
        return ExitCode.USAGE
    settings = _overridden(configuration.settings, root, state, address)
    gc.disable()  # an import makes much and leaves no garbage: a twelfth of the start went into looking for it
    from cri.daemon import run_daemon  # grpc is imported only here

    try:
        return asyncio.run(run_daemon(settings, ready=_collect_from_now_on))
    except Exception as error:
        if not hasattr(error, "remedy"):
            raise
        # An error of ours is a sentence with a remedy; its traceback would only hide it.
        print(f"lading: {error}", file=sys.stderr)
        return ExitCode.FAILED


def _collect_from_now_on() -> None:
    """Collect garbage again, without looking ever again at what a start has made: it stays."""
    gc.freeze()
    gc.enable()


def _overridden(
    settings: Settings, root: str | None, state: str | None, address: str | None
) -> Settings:
    for name, value in (("--root", root), ("--state", state)):
        if value is not None and not value.startswith("/"):
            raise click.UsageError(f"{name} must be an absolute path, not {value!r}")
    if address is not None and not address.startswith("unix:///"):
        raise click.UsageError(f"--address must have the form unix:///PATH, not {address!r}")
    settings = replace(settings, root=root or settings.root, state=state or settings.state)
    return (
        settings
        if address is None
        else replace(settings, cri=replace(settings.cri, address=address))
    )
