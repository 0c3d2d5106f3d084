"""`lading image pull`: pull through the daemon, with a bar per layer on a terminal, and JSON lines elsewhere."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click

from cri.command.daemon_client import CommandError, Daemon
from cri.command.exit_codes import ExitCode, exits
from cri.command.image.auth_file import auth_for
from cri.command.image.pull_lines import done_line, pull_line
from cri.command.names import image_names
from cri.command.options import ADMIN, JSON, QUIET, print_json
from image.model.json_document import JsonObject

_LINE_SECONDS = 5.0
"""A log gets a line now and then, no control codes."""


@exits(ExitCode.NOT_FOUND)
@click.command("pull")
@click.argument("references", metavar="REF...", nargs=-1, required=True, shell_complete=image_names)
@click.option(
    "--platform", default="", metavar="OS/ARCH", help="Another platform than this host's."
)
@click.option("--all-tags", is_flag=True, help="Every tag of the repository; REF has none then.")
@click.option(
    "--auth-file", type=click.Path(path_type=Path), help="Credentials in docker's config.json form."
)
@click.option(
    "--progress",
    type=click.Choice(["auto", "lines", "json"]),
    default="auto",
    show_default=True,
    help="lines: text now and then; auto: bars on a terminal, else json.",
)
@ADMIN
@JSON
@QUIET
def command(
    *,
    references: tuple[str, ...],
    platform: str,
    all_tags: bool,
    auth_file: Path | None,
    progress: str,
    admin: str,
    as_json: bool,
    quiet: bool,
) -> int:
    r"""Pull images as the kubelet does: same mirrors, same checks; equal pulls are joined.

    \b
    Examples:
      lading image pull busybox
      lading image pull --platform linux/arm64 registry.example/app:v2
      lading image pull --auth-file ~/.docker/config.json registry.example/private:1
    """
    daemon, failure = Daemon(admin), None
    style = _style(progress, as_json=as_json, quiet=quiet)
    for reference in references:
        auth = auth_for(auth_file, reference) if auth_file else {}
        lines = daemon.watch(
            "image/pull", reference=reference, platform=platform, auth=auth, all_tags=all_tags
        )
        try:
            _show(lines, style, quiet=quiet)
        except CommandError as error:
            if error.code == ExitCode.NO_DAEMON or reference == references[-1]:
                raise
            click.echo(f"lading: {error.message}", err=True)
            failure = error
    return failure.code if failure else ExitCode.OK


def _style(progress: str, *, as_json: bool, quiet: bool) -> str:
    """Choose between `bars`, `lines` and `json`: only a terminal gets bars without being asked."""
    if as_json:
        return "json"
    if progress != "auto":
        return progress
    return "bars" if sys.stderr.isatty() or quiet else "json"


def _show(lines: Iterator[JsonObject], style: str, *, quiet: bool) -> None:
    if style == "json":
        for line in lines:
            print_json(line)
        return
    if quiet:
        for line in lines:
            if line.text("event") == "done":
                click.echo(line.text("id"))
        return
    if style == "bars":
        from cri.command.image.pull_bars import show_bars  # rich costs 80 ms

        outcomes = show_bars(lines)
    else:
        outcomes = _show_lines(lines)
    for outcome in outcomes:
        click.echo(done_line(outcome))


def _show_lines(lines: Iterator[JsonObject]) -> list[JsonObject]:
    outcomes = []
    due = time.monotonic() + 1.0
    for line in lines:
        if line.text("event") == "done":
            outcomes.append(line)
        elif time.monotonic() >= due:
            click.echo(pull_line(line), err=True)
            due = time.monotonic() + _LINE_SECONDS
    return outcomes
