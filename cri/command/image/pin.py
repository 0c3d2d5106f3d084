"""`lading image pin` and `unpin`: keep images from the kubelet's clean-up and from `rm` and `prune`."""

import click

from cri.command.daemon_client import Daemon
from cri.command.exit_codes import ExitCode, exits
from cri.command.names import image_names
from cri.command.options import ADMIN, JSON, QUIET, print_json
from cri.command.texts import flag
from image.model.json_document import JsonObject


@exits(ExitCode.NOT_FOUND)
@click.command("pin")
@click.argument("reference", metavar="REF", shell_complete=image_names)
@click.option("--name", default="operator", show_default=True, help="Why, in one word.")
@click.option("--until", default="", metavar="TIME", help="End: 2027-01-31 or 2027-01-31T12:00Z.")
@ADMIN
@JSON
@QUIET
def pin(*, reference: str, name: str, until: str, admin: str, as_json: bool, quiet: bool) -> int:
    r"""Keep an image: neither kubelet, rm nor prune removes it. Pins the name as written, all tags of an id.

    \b
    Examples:
      lading image pin registry.example/app:v2
      lading image pin --name boot --until 2027-01-31 app:v2
    """
    answer = Daemon(admin).ask("image/pin", reference=reference, name=name, until=until)
    if as_json:
        print_json(answer)
    elif not quiet:
        for one in answer.children("pins"):
            click.echo(f"pinned {_pin(one)}")
    return ExitCode.OK


@exits(ExitCode.NOT_FOUND)
@click.command("unpin")
@click.argument("reference", metavar="REF", shell_complete=image_names)
@click.option("--name", default="", help="Only the pin of this name.")
@ADMIN
@JSON
@QUIET
def unpin(*, reference: str, name: str, admin: str, as_json: bool, quiet: bool) -> int:
    r"""Take pins of an image away; those of the settings stay.

    \b
    Examples:
      lading image unpin app:v2
      lading image unpin --name boot app:v2
    """
    answer = Daemon(admin).ask("image/unpin", reference=reference, name=name)
    gone = answer.children("removed")
    if as_json:
        print_json(answer)
    elif not quiet:
        for one in gone:
            click.echo(f"unpinned {_pin(one)}")
        if not gone:
            click.echo(f"{reference} had no such pin")
        if flag(answer, "still_pinned"):
            click.echo("still pinned by the settings or another pin; see 'lading why'")
    return ExitCode.OK


def _pin(one: JsonObject) -> str:
    until = one.text("until")
    return f'{one.text("image")} as "{one.text("name")}"' + (f" until {until}" if until else "")
