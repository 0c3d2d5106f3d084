"""`lading version`: the versions of this program and of the daemon that runs. Works without a daemon, too."""

import json

import click

from cri.command.daemon_client import CommandError, Daemon
from cri.command.exit_codes import ExitCode, exits
from cri.command.options import ADMIN, JSON, QUIET
from cri.command.texts import flag
from cri.version import CRI_API_VERSION, CRI_VERSION, STATE_SCHEMA, VERSION
from image.model.json_document import JsonObject


@exits(asks_daemon=False)
@click.command("version")
@ADMIN
@JSON
@QUIET
def command(*, admin: str, as_json: bool, quiet: bool) -> int:
    r"""Show the versions of this program and of the running daemon.

    \b
    Examples:
      lading version
      lading version --json | jq -r .daemon
    """
    answer, excuse = _ask(admin)
    if as_json:
        click.echo(json.dumps(_fields(answer)))
    elif quiet:
        click.echo(VERSION)
    else:
        for line in version_lines(answer, excuse):
            click.echo(line)
    return ExitCode.OK


def _ask(admin: str) -> tuple[JsonObject | None, str]:
    try:
        return Daemon(admin).ask("version", seconds=5.0), ""
    except CommandError as error:
        if error.code not in (ExitCode.NO_DAEMON, ExitCode.DEADLINE):
            raise
        return None, error.message


def _fields(answer: JsonObject | None) -> dict[str, object]:
    fields: dict[str, object] = {
        "schema": "lading.version/v1",
        "client": VERSION,
        "daemon": None,
        "cri": CRI_VERSION,
        "cri_api": CRI_API_VERSION,
        "handlers": [],
        "state_schema": STATE_SCHEMA,
    }
    return fields | dict(answer.fields if answer else {})


def version_lines(answer: JsonObject | None, excuse: str) -> list[str]:
    """Return what a person reads."""
    if answer is None:
        own = f"CRI {CRI_VERSION} (cri-api {CRI_API_VERSION}), state schema {STATE_SCHEMA}"
        return [f"lading {VERSION}, {own}", f"no daemon: {excuse}"]
    daemon = answer.text("daemon")
    same = daemon == VERSION
    told = f"daemon {daemon}" if same else f"daemon {daemon}: restart it"
    interfaces = (
        f"CRI {answer.text('cri')} (cri-api {answer.text('cri_api')}),"
        f" state schema {answer.integer('state_schema')}"
    )
    return [f"lading {VERSION} ({told}), {interfaces}", *_handler_lines(answer)]


def _handler_lines(answer: JsonObject) -> list[str]:
    lines = []
    for one in answer.children("handlers"):
        name = one.text("name") + (" (default)" if flag(one, "default") else "")
        state = one.text("version") if flag(one, "usable") else f"unusable: {one.text('reason')}"
        lines.append(f"handler {name}: {state}")
    return lines
