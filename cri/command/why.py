"""`lading why`: what keeps an image or layer on this node. Exit 4 when it is not here."""

import click

from cri.command.daemon_client import Daemon
from cri.command.exit_codes import ExitCode, exits
from cri.command.names import image_objects
from cri.command.options import ADMIN, JSON, QUIET, print_json
from cri.command.texts import age, number, short, size
from image.model.json_document import JsonObject


@exits(ExitCode.NOT_FOUND)
@click.command("why")
@click.argument("object", metavar="image:REF|image:DIGEST", shell_complete=image_objects)
@ADMIN
@JSON
@QUIET
def command(*, object: str, admin: str, as_json: bool, quiet: bool) -> int:
    r"""Show what keeps an image or a layer on this node, and what would come back without it.

    \b
    Examples:
      lading why image:busybox:1.36
      lading why image:sha256:4f1a...
    """
    answer = Daemon(admin).ask("why", object=object)
    if as_json:
        print_json(answer)
    elif quiet:
        for one in answer.children("holders"):
            click.echo(one.text("object"))
    else:
        for line in why_lines(answer):
            click.echo(line)
    return ExitCode.OK


def why_lines(answer: JsonObject) -> list[str]:
    """Return what a person reads."""
    target = answer.child("target") or answer
    names = target.texts("names")
    called = ", ".join(names) if names else short(target.text("id"))
    holders = answer.children("holders")
    freed = size(number(answer, "freed_bytes"))
    lines = [f"{target.text('kind')} {called} ({size(number(target, 'size_bytes'))})"]
    if not holders:
        return [*lines, f"  nothing keeps it; 'lading image prune' would free {freed}"]
    for holder in holders:
        lines.append(f"  <- {_holder(holder)}")
        lines += [f"       <- {_holder(one)}" for one in holder.children("holders")]
    removed = "those images" if target.text("kind") == "layer" else "it"
    return [*lines, f"removing {removed} frees {freed}"]


def _holder(holder: JsonObject) -> str:
    kind, name = holder.text("kind"), holder.text("object")
    since = holder.text("since")
    if kind == "container":
        state = holder.text("state")
        called = name if name.startswith("container ") else f"container {name}"
        return f"{called}, {state}" + (f" for {age(since)}" if since else "")
    until = holder.text("until")
    if kind == "pin":
        return f'pin "{name}"' + (f" until {until}" if until else f", set {age(since)} ago")
    if kind == "setting":
        return f"setting {name}"
    return f"{kind} {name}"
