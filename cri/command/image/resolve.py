"""`lading image resolve`: where a pull would go, in order, as whom, and what each place says. Exit 3 when none works."""

from pathlib import Path

import click

from cri.command.daemon_client import Daemon
from cri.command.exit_codes import ExitCode, exits
from cri.command.image.auth_file import auth_for
from cri.command.names import image_names
from cri.command.options import ADMIN, JSON, QUIET, print_json
from cri.command.texts import duration, flag, number
from image.model.json_document import JsonObject


@exits(findings="no place serves it")
@click.command("resolve")
@click.argument("reference", metavar="REF", shell_complete=image_names)
@click.option(
    "--auth-file", type=click.Path(path_type=Path), help="Credentials in docker's config.json form."
)
@ADMIN
@JSON
@QUIET
def command(
    *, reference: str, auth_file: Path | None, admin: str, as_json: bool, quiet: bool
) -> int:
    r"""Show the URLs that a pull would ask, in order, as whom, and what each says. Downloads nothing.

    \b
    Examples:
      lading image resolve busybox
      lading image resolve --auth-file ~/.docker/config.json registry.example/private:1
    """
    auth = auth_for(auth_file, reference) if auth_file else {}
    answer = Daemon(admin).ask("image/resolve", seconds=125.0, reference=reference, auth=auth)
    endpoints = answer.children("endpoints")
    if as_json:
        print_json(answer)
    elif quiet:
        for one in endpoints:
            click.echo(one.text("url"))
    else:
        for line in resolve_lines(endpoints):
            click.echo(line)
    return ExitCode.OK if any(flag(one, "works") for one in endpoints) else ExitCode.FINDINGS


def resolve_lines(endpoints: tuple[JsonObject, ...]) -> list[str]:
    """Return what a person reads; the first place that works is the one that a pull takes."""
    lines = []
    taken = False
    for position, one in enumerate(endpoints, start=1):
        took = f" in {duration(number(one, 'seconds'))}" if flag(one, "asked") else ""
        works = flag(one, "works")
        mark = "   <- a pull takes this" if works and not taken else ""
        taken = taken or works
        why = one.text("auth_why", default="")
        lines += [
            f"{position} {one.text('url')}",
            f"  rule    {one.text('rule')}",
            f"  as      {one.text('auth')}{f' ({why})' if why else ''}",
            f"  says    {one.text('result')}{took}{mark}",
        ]
        if one.text("digest"):
            lines.append(f"  means   {one.text('digest')}")
    return lines
