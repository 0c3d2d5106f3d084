"""`lading config default|check|show`: what can be set, what is wrong, what is in force. Changes nothing."""

import dataclasses
import json
from pathlib import Path

import click

from cri.command.exit_codes import ExitCode, exits
from cri.config import Settings
from cri.config_reader import Configuration, read_configuration
from cri.config_render import default_file, shown_values, value_lines

_file_option = click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path),
    help="Read FILE instead of /etc/lading/config.toml.",
)
_json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group("config")
def command() -> None:
    """Show the defaults, check the configuration, show what is in force."""


@exits(asks_daemon=False)
@command.command("default")
@_json_option
def default(*, as_json: bool) -> int:
    r"""Print a configuration file with every key, its default and the reason for it.

    \b
    Examples:
      lading config default > /etc/lading/config.toml
    """
    if as_json:
        values = shown_values(Settings())
        click.echo(json.dumps({"schema": "lading.config-default/v1", "values": values}))
    else:
        click.echo(default_file(), nl=False)
    return ExitCode.OK


@exits(findings="there are errors", asks_daemon=False)
@command.command("check")
@_file_option
@_json_option
def check(*, file: Path | None, as_json: bool) -> int:
    r"""Find every fault of the configuration, each with file, line and key.

    \b
    Examples:
      lading config check
      lading config check --config ./new.toml && systemctl restart lading
    """
    configuration = read_configuration(file)
    if as_json:
        click.echo(_as_json(configuration, "lading.config-check/v1"))
    else:
        _print_findings(configuration)
    return ExitCode.FINDINGS if configuration.findings else ExitCode.OK


@exits(findings="there are errors", asks_daemon=False)
@command.command("show")
@_file_option
@click.option("--diff", is_flag=True, help="Only what differs from the defaults.")
@_json_option
def show(*, file: Path | None, diff: bool, as_json: bool) -> int:
    r"""Print every setting that a daemon started now would use, and where it comes from.

    \b
    Examples:
      lading config show --diff
      lading config show --json | jq .values.image
    """
    configuration = read_configuration(file)
    if configuration.findings:
        _print_findings(configuration)
        return ExitCode.FINDINGS
    if as_json:
        click.echo(_as_json(configuration, "lading.config-show/v1"))
    else:
        for line in value_lines(configuration.settings, configuration.origins, changed_only=diff):
            click.echo(line)
    return ExitCode.OK


def _print_findings(configuration: Configuration) -> None:
    count, files = len(configuration.findings), len(configuration.files)
    for finding in configuration.findings:
        click.echo(str(finding), err=True)
    if not count:
        click.echo(f"ok: {files} {'file' if files == 1 else 'files'}, no errors")
    else:
        errors = "1 error" if count == 1 else f"{count} errors"
        click.echo(
            f"{errors} in {files} {'file' if files == 1 else 'files'}; nothing was changed",
            err=True,
        )


def _as_json(configuration: Configuration, schema: str) -> str:
    return json.dumps(
        {
            "schema": schema,
            "files": configuration.files,
            "findings": [dataclasses.asdict(each) for each in configuration.findings],
            "values": shown_values(configuration.settings),
            "origins": dict(configuration.origins),
        }
    )
