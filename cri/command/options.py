"""Options that every verb which asks the daemon has, and the one way in which answers are printed as JSON."""

import json
import sys

import click

from image.model.json_document import JsonObject

ADMIN = click.option(
    "--admin",
    metavar="unix:///PATH",
    default="",
    help="Admin socket of the daemon (also LADING_ADMIN).",
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
QUIET = click.option("-q", "--quiet", is_flag=True, help="Print only names, ids or nothing.")


def print_json(document: JsonObject) -> None:
    """Print an answer as one line of JSON, at once."""
    sys.stdout.write(json.dumps(dict(document.fields), ensure_ascii=False) + "\n")
    sys.stdout.flush()
