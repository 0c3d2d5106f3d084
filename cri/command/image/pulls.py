"""`lading image pulls`: all pulls that run, whoever started them."""

import click

from cri.command.daemon_client import Daemon
from cri.command.exit_codes import ExitCode, exits
from cri.command.image.pull_lines import pull_line
from cri.command.options import ADMIN, JSON, QUIET, print_json
from cri.command.texts import duration, number


@exits()
@click.command("pulls")
@ADMIN
@JSON
@QUIET
def command(*, admin: str, as_json: bool, quiet: bool) -> int:
    r"""Show all pulls that run, the kubelet's too: who waits, phase, bytes, rate.

    \b
    Examples:
      lading image pulls
      watch -n1 lading image pulls
    """
    answer = Daemon(admin).ask("image/pulls")
    pulls = answer.children("pulls")
    if as_json:
        print_json(answer)
    elif quiet:
        click.echo("".join(f"{one.text('reference')}\n" for one in pulls), nl=False)
    elif not pulls:
        click.echo("no pull runs")
    else:
        for one in pulls:
            callers = one.child("callers")
            waiting = [
                f"{callers.integer(name)} {'kubelet or crictl' if name == 'cri' else name}"
                for name in (callers.fields if callers else ())
                if callers
            ]
            since = duration(number(one, "age_seconds"))
            told = f"for {since}, {' and '.join(waiting)} waiting"
            click.echo(f"{pull_line(one)}; {told}, operation {one.text('operation')}")
            if one.text("waiting_for", default=""):
                click.echo(f"  waits for {one.text('waiting_for')}")
    return ExitCode.OK
