"""`lading version`: the versions of this program and of what it speaks. Asks no daemon and starts nothing."""

import json

import click

from cri.command.exit_codes import ExitCode
from cri.version import CRI_API_VERSION, CRI_VERSION, STATE_SCHEMA, VERSION


@click.command("version")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(*, as_json: bool) -> int:
    """Show the versions of this program and of the interfaces it speaks."""
    if as_json:
        versions = {
            "client": VERSION,
            "cri": CRI_VERSION,
            "cri_api": CRI_API_VERSION,
            "state_schema": STATE_SCHEMA,
        }
        click.echo(json.dumps({"schema": "lading.version/v1", **versions}))
    else:
        click.echo(
            f"lading {VERSION}, CRI {CRI_VERSION} (cri-api {CRI_API_VERSION}), state schema {STATE_SCHEMA}"
        )
    return ExitCode.OK
