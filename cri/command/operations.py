"""`lading operations`: what runs now, which stage each is in, and since when; `cancel` has one undone."""

import click

from cri.command.daemon_client import Daemon
from cri.command.exit_codes import ExitCode, exits
from cri.command.names import operation_ids
from cri.command.options import ADMIN, JSON, QUIET, print_json
from cri.command.texts import duration, flag, number, table
from image.model.json_document import JsonObject


@exits(findings="--stuck found some")
@click.group("operations", invoke_without_command=True)
@click.option(
    "--stuck", is_flag=True, help="Only what waits unusually long; exit 3 if there is any."
)
@ADMIN
@JSON
@QUIET
@click.pass_context
def command(
    context: click.Context, *, stuck: bool, admin: str, as_json: bool, quiet: bool
) -> int | None:
    r"""Show what runs now, and what waits for what; pulls are operations, too.

    \b
    Examples:
      lading operations
      lading operations --stuck
      lading operations show 8c1f
      lading operations cancel 8c1f
    """
    if context.invoked_subcommand is not None:
        return None
    answer = Daemon(admin).ask("operations", stuck=stuck)
    found = answer.children("operations")
    if as_json:
        print_json(answer)
    elif quiet:
        click.echo("".join(f"{one.text('id')}\n" for one in found), nl=False)
    elif found:
        for line in operation_table(found):
            click.echo(line)
    else:
        click.echo("nothing is stuck" if stuck else "nothing runs")
    return ExitCode.FINDINGS if stuck and found else ExitCode.OK


@exits(ExitCode.NOT_FOUND)
@command.command("show")
@click.argument("id", shell_complete=operation_ids)
@ADMIN
@JSON
@QUIET
def show(*, id: str, admin: str, as_json: bool, quiet: bool) -> int:
    r"""Show one operation with its stages, and how long each took.

    \b
    Examples:
      lading operations show 8c1f
    """
    answer = Daemon(admin).ask("operation", id=id)
    if as_json:
        print_json(answer)
        return ExitCode.OK
    if quiet:
        click.echo(answer.text("stage"))
        return ExitCode.OK
    waiters = answer.integer("waiters")
    click.echo(
        f"{answer.text('id')} {answer.text('kind')} {answer.text('object')},"
        f" running for {duration(number(answer, 'age_seconds'))}, {waiters} waiting for it"
    )
    rows = [
        (
            stage.text("name"),
            duration(number(stage, "seconds")),
            _budget(stage),
            "done" if flag(stage, "done") else "runs",
        )
        for stage in answer.children("stages")
    ]
    for line in table(("STAGE", ">TIME", ">LIMIT", "STATE"), rows) if rows else ():
        click.echo(line)
    return ExitCode.OK


@exits(ExitCode.NOT_FOUND)
@command.command("cancel")
@click.argument("id", shell_complete=operation_ids)
@ADMIN
@JSON
@QUIET
def cancel(*, id: str, admin: str, as_json: bool, quiet: bool) -> int:
    r"""Undo one operation; those who wait for it are told. What can no longer be undone is refused (exit 1).

    \b
    Examples:
      lading operations cancel 8c1f
    """
    answer = Daemon(admin).ask("operation/cancel", id=id)
    if as_json:
        print_json(answer)
    elif not quiet:
        click.echo(f"cancelled {answer.text('kind')} {answer.text('object')}; it is being undone")
    return ExitCode.OK


def operation_table(found: tuple[JsonObject, ...]) -> list[str]:
    """Return the operations as a table."""
    rows = [
        (
            one.text("id"),
            one.text("kind"),
            one.text("object"),
            one.text("stage") or "-",
            duration(number(one, "stage_seconds")) + (" !" if flag(one, "stuck") else ""),
            _budget(one),
            duration(number(one, "age_seconds")),
            str(one.integer("waiters")),
        )
        for one in found
    ]
    head = ("ID", "KIND", "OBJECT", "STAGE", ">FOR", ">LIMIT", ">AGE", ">WAITING")
    return table(head, rows)


def _budget(document: JsonObject) -> str:
    budget = number(document, "budget_seconds")
    return duration(budget) if budget else "-"
