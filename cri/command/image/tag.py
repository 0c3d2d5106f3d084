"""`lading image tag`: another name for an image that is here."""

import click

from cri.command.daemon_client import Daemon
from cri.command.exit_codes import ExitCode, exits
from cri.command.names import image_names
from cri.command.options import ADMIN, JSON, QUIET, print_json
from cri.command.texts import short


@exits(ExitCode.NOT_FOUND)
@click.command("tag")
@click.argument("source", metavar="REF", shell_complete=image_names)
@click.argument("target", metavar="NEW")
@ADMIN
@JSON
@QUIET
def command(*, source: str, target: str, admin: str, as_json: bool, quiet: bool) -> int:
    r"""Give an image another name; a name that another image has moves.

    \b
    Examples:
      lading image tag registry.example/app:v2 registry.example/app:stable
    """
    answer = Daemon(admin).ask("image/tag", source=source, target=target)
    if as_json:
        print_json(answer)
    elif not quiet:
        moved = answer.text("moved_from")
        note = f", no longer {short(moved)}" if moved else ""
        click.echo(f"{answer.text('name')} is {short(answer.text('id'))} now{note}")
    return ExitCode.OK
