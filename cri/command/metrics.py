"""`lading metrics`: the daemon's metrics as Prometheus reads them."""

import sys

import click

from cri.command.daemon_client import Daemon
from cri.command.exit_codes import ExitCode
from cri.command.options import ADMIN


@click.command("metrics")
@click.argument("name", default="")
@ADMIN
def command(*, name: str, admin: str) -> int:
    r"""Print the daemon's metrics in Prometheus' text format; with NAME only those that contain it.

    \b
    Examples:
      lading metrics
      lading metrics rpc_total
      curl --unix-socket /run/lading/admin.sock http://lading/metrics
    """
    text = b"".join(Daemon(admin).fetch("/metrics")).decode()
    lines = text.splitlines(keepends=True)
    sys.stdout.write("".join(line for line in lines if name in line))
    return ExitCode.OK
