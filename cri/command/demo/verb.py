"""The verb itself: options, preflight, the run, the report and the exit code. Imports grpc only when it runs."""

import json
import os
import sys

import click

from cri.command.exit_codes import ExitCode, exits


@exits(findings="something was left behind or went wrong", asks_daemon=False)
@click.command("demo")
@click.option(
    "--handler",
    default="",
    help="OCI runtime to use: crun or runc (default: what the daemon chooses).",
)
@click.option(
    "--builtin-registry",
    is_flag=True,
    help="Use the small built-in registry even if docker-registry is there.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(*, handler: str, builtin_registry: bool, as_json: bool) -> int:
    r"""Run a whole pod on a private daemon, show each step and its time, leave nothing. Needs root.

    \b
    Examples:
      lading demo
      lading demo --handler runc
      lading demo --json | jq '.steps[] | {name, seconds}'
    """
    if os.geteuid() != 0:
        print(
            "lading: demo makes namespaces and mounts, so it needs root; try: sudo lading demo",
            file=sys.stderr,
        )
        return ExitCode.FAILED
    from cri.command.demo.performance import perform
    from cri.command.demo.report import JsonReport, TextReport

    report = JsonReport() if as_json else TextReport()
    outcome = perform(handler=handler, builtin_registry=builtin_registry, report=report)
    if as_json:
        click.echo(json.dumps(outcome.as_document()))
    return ExitCode.OK if outcome.ok else ExitCode.FAILED if outcome.error else ExitCode.FINDINGS
