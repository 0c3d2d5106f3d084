"""`lading image rm`: remove a name, or an image with all its names. Exit 7 when something keeps it."""

import click

from cri.command.daemon_client import CommandError, Daemon
from cri.command.exit_codes import ExitCode, exits
from cri.command.names import image_names
from cri.command.options import ADMIN, JSON, QUIET, print_json
from cri.command.texts import flag, number, short, size
from image.model.json_document import JsonObject


@exits(ExitCode.NOT_FOUND, ExitCode.REFUSED)
@click.command("rm")
@click.argument("references", metavar="REF...", nargs=-1, required=True, shell_complete=image_names)
@click.option("--force", is_flag=True, help="Also when used or pinned; containers keep running.")
@click.option("--dry-run", is_flag=True, help="Only say what would happen.")
@ADMIN
@JSON
@QUIET
def command(
    *,
    references: tuple[str, ...],
    force: bool,
    dry_run: bool,
    admin: str,
    as_json: bool,
    quiet: bool,
) -> int:
    r"""Remove images: a tag takes that name only, an id all names. Exit 7 when something keeps one.

    \b
    Examples:
      lading image rm registry.example/app:v1
      lading image rm --dry-run 4f1a2b3c
      lading image rm --force app:v2        containers that use it keep running
    """
    daemon, failure = Daemon(admin), None
    for reference in references:
        try:
            answer = daemon.ask(
                "image/rm", seconds=605.0, reference=reference, force=force, dry_run=dry_run
            )
        except CommandError as error:
            if error.code == ExitCode.NO_DAEMON or reference == references[-1]:
                raise
            click.echo(f"lading: {error.message}", err=True)
            failure = error
            continue
        if as_json:
            print_json(answer)
        elif not quiet:
            click.echo(removal_line(answer))
    return failure.code if failure else ExitCode.OK


def removal_line(answer: JsonObject) -> str:
    """Return what a person reads."""
    removed = answer.texts("removed_names")
    names = ", ".join([name for name in removed if "@" not in name] or removed[:1])
    would = "would remove" if flag(answer, "dry_run") else "removed"
    if not flag(answer, "image_removed"):
        return f"{would} the name {names}; the image stays under its other names"
    freed = size(number(answer, "freed_bytes"))
    return f"{would} {names or short(answer.text('id'))}, {freed} free again"
