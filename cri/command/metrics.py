"""`lading metrics`: the daemon's metrics as Prometheus reads them."""

import json
import re
import sys
from collections.abc import Iterator

import click

from cri.command.daemon_client import Daemon
from cri.command.exit_codes import ExitCode, exits
from cri.command.options import ADMIN, JSON

_SAMPLE = re.compile(r"(?P<name>[a-zA-Z_:][\w:]*)(?:\{(?P<labels>.*)\})? (?P<value>\S+)")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


@exits()
@click.command("metrics")
@click.argument("name", default="")
@ADMIN
@JSON
def command(*, name: str, admin: str, as_json: bool) -> int:
    r"""Print the daemon's metrics in Prometheus' text format; with NAME only those that contain it.

    \b
    Examples:
      lading metrics
      lading metrics rpc_total
      lading metrics --json image_pull | jq -c '.samples[]'
      curl --unix-socket /run/lading/admin.sock http://lading/metrics
    """
    text = b"".join(Daemon(admin).fetch("/metrics")).decode()
    if as_json:
        found = [one for one in samples(text) if name in str(one["name"])]
        click.echo(json.dumps({"schema": "lading.metrics/v1", "samples": found}))
        return ExitCode.OK
    lines = text.splitlines(keepends=True)
    sys.stdout.write("".join(line for line in lines if name in line))
    return ExitCode.OK


def samples(text: str) -> Iterator[dict[str, object]]:
    """Read Prometheus' text format: a name, labels and a number for each sample, comments left out."""
    for line in text.splitlines():
        found = _SAMPLE.fullmatch(line)
        if found is not None:
            labels = dict(_LABEL.findall(found["labels"] or ""))
            yield {"name": found["name"], "labels": labels, "value": _number(found["value"])}


def _number(text: str) -> float | str:
    """Return a number; what JSON has no form for, `+Inf` and `NaN`, stays text."""
    value = float(text)
    return value if abs(value) < float("inf") else text
