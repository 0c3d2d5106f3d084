"""`lading image inspect`: one image with its documents, and its layers as they are kept."""

import json

import click

from cri.command.daemon_client import Daemon
from cri.command.exit_codes import ExitCode, exits
from cri.command.names import image_names
from cri.command.options import ADMIN, JSON, QUIET, print_json
from cri.command.texts import age, number, short, size, table
from image.model.json_document import JsonObject


@exits(ExitCode.NOT_FOUND)
@click.command("inspect")
@click.argument("reference", metavar="REF", shell_complete=image_names)
@ADMIN
@JSON
@QUIET
def command(*, reference: str, admin: str, as_json: bool, quiet: bool) -> int:
    r"""Show one image with its layers and settings; --json adds manifest and config as stored.

    \b
    Examples:
      lading image inspect busybox
      lading image inspect -q busybox       its id
      lading image inspect --json busybox | jq .config.config.Env
    """
    answer = Daemon(admin).ask("image/inspect", reference=reference)
    if as_json:
        print_json(answer)
    elif quiet:
        click.echo(answer.text("id"))
    else:
        for line in inspect_lines(answer):
            click.echo(line)
    return ExitCode.OK


def inspect_lines(answer: JsonObject) -> list[str]:
    """Return what a person reads."""
    size_text = size(number(answer, "size_bytes"))
    unique = size(number(answer, "unique_bytes"))
    facts = [
        ("id", answer.text("id")),
        *(("name", name) for name in (*answer.texts("tags"), *answer.texts("digests"))),
        ("manifest", answer.text("manifest_digest")),
        ("platform", answer.text("platform")),
        *(
            (name, answer.text(key))
            for name, key in (("served by", "source"), ("config by", "config_source"))
            if answer.text(key, default="")
        ),
        ("pulled", f"{answer.text('pulled_at')} ({age(answer.text('pulled_at'))} ago)"),
        ("size", f"{size_text} on disk, {unique} of it unique to this image"),
        *(("used by", name) for name in answer.texts("used_by")),
        *(("pin", name) for name in answer.texts("pins")),
        *_settings(answer),
    ]
    rows = [
        (
            short(layer.text("digest")),
            layer.text("kind"),
            size(number(layer, "download_bytes")),
            size(number(layer, "size_bytes")),
            str(layer.integer("inodes")),
            str(layer.integer("images")),
            layer.text("source", default="") or "-",
        )
        for layer in answer.children("layers")
    ]
    head = ("LAYER", "KIND", ">DOWNLOAD", ">ON DISK", ">INODES", ">IMAGES", "SERVED BY")
    return [f"{name:9} {text}" for name, text in facts] + table(head, rows)


def _settings(answer: JsonObject) -> list[tuple[str, str]]:
    document = answer.child("config")
    config = document.child("config") if document else None
    if config is None:
        return []
    user = config.text("User", default="")
    command_line = (*config.texts("Entrypoint"), *config.texts("Cmd"))
    return [
        *([("runs", json.dumps(command_line)[1:-1])] if command_line else []),
        *([("user", user)] if user else []),
    ]
