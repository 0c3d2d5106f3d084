"""`lading status`: is the node ready, why not, what does it do now. Exit 3 when it is not ready."""

import time

import click

from cri.command.daemon_client import CommandError, Daemon
from cri.command.exit_codes import ExitCode, exits
from cri.command.options import ADMIN, JSON, QUIET, print_json
from cri.command.texts import count, duration, flag, number, size
from image.model.json_document import JsonObject

_POLL_SECONDS = 0.2


@exits(findings="the node is not ready")
@click.command("status")
@click.option("--wait", is_flag=True, help="Wait until the node is ready.")
@click.option(
    "--timeout", type=float, default=60.0, show_default=True, help="Seconds that --wait may take."
)
@ADMIN
@JSON
@QUIET
def command(*, wait: bool, timeout: float, admin: str, as_json: bool, quiet: bool) -> int:
    r"""Show whether the node is ready, and what it does now. Exit 3 when it is not ready.

    \b
    Examples:
      lading status
      lading status --wait --timeout 120 && kubectl uncordon node1
      lading status --json | jq .counts.pods
    """
    daemon = Daemon(admin)
    deadline = time.monotonic() + timeout
    while True:
        answer = _ask(daemon, patient=wait and time.monotonic() < deadline)
        ready = answer is not None and answer.text("verdict") == "ready"
        if ready or not wait or time.monotonic() >= deadline:
            break
        time.sleep(_POLL_SECONDS)
    if answer is None:
        raise CommandError(f"daemon at {daemon.address}: does not answer", ExitCode.NO_DAEMON)
    if as_json:
        print_json(answer)
    elif not quiet:
        for line in status_lines(answer):
            click.echo(line)
    if ready:
        return ExitCode.OK
    return ExitCode.DEADLINE if wait else ExitCode.FINDINGS


def _ask(daemon: Daemon, *, patient: bool) -> JsonObject | None:
    try:
        return daemon.ask("status", seconds=5.0)
    except CommandError as error:
        if patient and error.code == ExitCode.NO_DAEMON:
            return None
        raise


def status_lines(answer: JsonObject) -> list[str]:
    """Return what a person reads."""
    lines = []
    for condition in answer.children("conditions"):
        if not flag(condition, "ready"):
            lines += _unready_lines(condition)
    lines = lines or [f"ready, up for {duration(number(answer, 'uptime_seconds'))}"]
    return [*lines, *_work_lines(answer)]


def _unready_lines(condition: JsonObject) -> list[str]:
    spent, reason = number(condition, "seconds"), condition.text("reason")
    since = f" for {duration(spent)}" if spent else ""
    cause, _, action = condition.text("message").rpartition("; ")
    told = f"NOT READY{since} ({condition.text('type')}): {cause or action}"
    if reason and reason not in told:
        told += f" [{reason}]"
    return [told, f"  action  {action}"] if cause else [told]


def _work_lines(answer: JsonObject) -> list[str]:
    counts = answer.child("counts") or answer
    work = answer.child("operations") or answer
    store = answer.child("store") or answer
    starting = counts.integer("pods_starting")
    running = counts.integer("containers_running")
    pods = count(counts.integer("pods"), "pod") + (f" ({starting} starting)" if starting else "")
    doing = count(work.integer("running"), "operation")
    if work.integer("running"):
        doing += f" (oldest {duration(number(work, 'oldest_seconds'))}"
        doing += f", stuck {work.integer('stuck')})"
    containers = f"{count(counts.integer('containers'), 'container')} ({running} running)"
    pulls = count(counts.integer("pulls"), "pull")
    images = f"{count(counts.integer('images'), 'image')}, {size(number(store, 'used_bytes'))}"
    free = size(number(store, "free_bytes"))
    spare = size(number(store, "reclaimable_bytes"))
    damaged = int(number(store, "damaged_layers"))
    lines = [
        f"{pods}, {containers}, {pulls}, {doing}",
        f"{images} in {store.text('path')}, {free} free, {spare} more by a prune",
    ]
    if damaged:
        lines += [f"{count(damaged, 'damaged layer')}", "  action  lading image fsck --repair"]
    if work.integer("stuck"):
        lines.append("  action  lading operations --stuck")
    if answer.integer("cleanups_pending"):
        waiting = count(answer.integer("cleanups_pending"), "clean-up")
        lines.append(f"{waiting} failed and will be tried again; see the daemon's log")
    return lines
