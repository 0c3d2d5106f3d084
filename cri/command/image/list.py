"""`lading image ls`: every image with names, real bytes on disk, and what uses or pins it."""

import click

from cri.command.daemon_client import Daemon
from cri.command.exit_codes import ExitCode, exits
from cri.command.options import ADMIN, JSON, QUIET, print_json
from cri.command.texts import age, count, number, short, size, table
from image.model.json_document import JsonObject


@exits()
@click.command("ls")
@ADMIN
@JSON
@QUIET
def command(*, admin: str, as_json: bool, quiet: bool) -> int:
    r"""List images. SIZE is what an image takes on disk, UNIQUE what would come back without it.

    \b
    Examples:
      lading image ls
      lading image ls -q | xargs -n1 lading image inspect
      lading image ls --json | jq '.images[] | select(.used_by == [])'
    """
    answer = Daemon(admin).ask("image/ls")
    images = answer.children("images")
    if as_json:
        print_json(answer)
    elif quiet:
        click.echo("".join(f"{one.text('id')}\n" for one in images), nl=False)
    else:
        for line in image_lines(images):
            click.echo(line)
        used = size(number(answer, "used_bytes"))
        click.echo(f"{count(len(images), 'image')}, {used} on disk")
    return ExitCode.OK


def image_lines(images: tuple[JsonObject, ...]) -> list[str]:
    """Return the table, nothing when there are no images."""
    rows = [row for image in images for row in _rows(image)]
    head = ("IMAGE", "ID", ">SIZE", ">UNIQUE", ">AGE", ">USED BY", "PINS")
    return table(head, rows) if rows else []


def _rows(image: JsonObject) -> list[tuple[str, ...]]:
    names = image.texts("tags") or image.texts("digests")[:1] or ("<none>",)
    used, pins = len(image.texts("used_by")), image.texts("pins")
    first = (
        names[0],
        short(image.text("id")),
        size(number(image, "size_bytes")),
        size(number(image, "unique_bytes")),
        age(image.text("pulled_at")),
        str(used) if used else "-",
        ", ".join(dict.fromkeys(pins)),
    )
    return [first, *((name, "", "", "", "", "", "") for name in names[1:])]
