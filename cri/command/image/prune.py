"""`lading image prune`: remove every image that no container, pin or pull keeps, and unfinished downloads."""

import click

from cri.command.daemon_client import Daemon
from cri.command.exit_codes import ExitCode, exits
from cri.command.options import ADMIN, JSON, QUIET, print_json
from cri.command.texts import count, flag, number, short, size, table
from image.model.json_document import JsonObject


@exits()
@click.command("prune")
@click.option("--dry-run", is_flag=True, help="Only say what would go, and how many bytes.")
@ADMIN
@JSON
@QUIET
def command(*, dry_run: bool, admin: str, as_json: bool, quiet: bool) -> int:
    r"""Remove all images that no container uses and nothing pins, and what broken-off downloads left.

    The kubelet pulls again what it needs.

    \b
    Examples:
      lading image prune --dry-run
      lading image prune
    """
    answer = Daemon(admin).ask("image/prune", seconds=605.0, dry_run=dry_run)
    if as_json:
        print_json(answer)
    elif quiet:
        click.echo("".join(f"{one.text('id')}\n" for one in answer.children("removed")), nl=False)
    else:
        for line in prune_lines(answer):
            click.echo(line)
    return ExitCode.OK


def prune_lines(answer: JsonObject) -> list[str]:
    """Return what a person reads."""
    removed, kept = answer.children("removed"), answer.child("kept") or answer
    rows = [
        (", ".join(one.texts("names")) or short(one.text("id")), size(number(one, "size_bytes")))
        for one in removed
    ]
    lines = table(("IMAGE", ">SIZE"), rows) if rows else []
    would = "would remove" if flag(answer, "dry_run") else "removed"
    stays = [f"{kept.integer(word)} {word}" for word in ("used", "pinned") if kept.integer(word)]
    partial = number(answer, "partial_bytes")
    freed = f", {size(number(answer, 'freed_bytes'))} free again" if removed else ""
    if partial:
        freed += f", and {size(partial)} of unfinished downloads"
    keeps = f"; kept {' and '.join(stays)}" if stays else ""
    return [*lines, f"{would} {count(len(removed), 'image')}{freed}{keeps}"]
