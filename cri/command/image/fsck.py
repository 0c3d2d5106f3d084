"""`lading image fsck`: look at every byte of every image; exit 3 when something is damaged and stays so."""

import sys
import time
from collections.abc import Iterator

import click

from cri.command.daemon_client import Daemon
from cri.command.exit_codes import ExitCode, exits
from cri.command.options import ADMIN, JSON, QUIET, print_json
from cri.command.texts import count, duration, flag, number, short, size
from image.model.json_document import JsonObject


@exits(findings="damage is left")
@click.command("fsck")
@click.option("--repair", is_flag=True, help="Fetch again what is damaged.")
@ADMIN
@JSON
@QUIET
def command(*, repair: bool, admin: str, as_json: bool, quiet: bool) -> int:
    r"""Hash everything that images need, name what is damaged and who has it. Exit 3 when damage is left.

    \b
    Examples:
      lading image fsck
      lading image fsck --repair
      lading image fsck --json | jq 'select(.event == "damage")'
    """
    lines = Daemon(admin).watch("image/fsck", repair=repair)
    last = _print_json(lines) if as_json else _show(lines, quiet=quiet)
    if last is None:
        return ExitCode.FAILED
    left = last.integer("damaged_images") - last.integer("repaired_images")
    if not as_json and not quiet:
        for line in summary_lines(last, repair=repair):
            click.echo(line)
    return ExitCode.FINDINGS if left else ExitCode.OK


def _print_json(lines: Iterator[JsonObject]) -> JsonObject | None:
    last = None
    for last in lines:
        print_json(last)
    return last


def _show(lines: Iterator[JsonObject], *, quiet: bool) -> JsonObject | None:
    counter = _Counter(shown=sys.stderr.isatty() and not quiet)
    for line in lines:
        match line.text("event"):
            case "progress":
                counter.show(line)
            case "done":
                counter.clear()
                return line
            case _:
                counter.clear()
                click.echo(line.text("digest", default="") if quiet else finding_line(line))
    return None


class _Counter:
    """One line on a terminal that is written over."""

    def __init__(self, *, shown: bool) -> None:
        self._shown = shown
        self._due = 0.0
        self._written = False

    def show(self, line: JsonObject) -> None:
        if not self._shown or time.monotonic() < self._due:
            return
        done, total = size(number(line, "bytes")), size(number(line, "total_bytes"))
        sys.stderr.write(f"\r\x1b[Kchecking {done} of {total}")
        sys.stderr.flush()
        self._due, self._written = time.monotonic() + 0.2, True

    def clear(self) -> None:
        if self._written:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._written = False


def finding_line(line: JsonObject) -> str:
    """Return damage or a repair as a person reads it."""
    if line.text("event") == "repair":
        if flag(line, "ok"):
            return f"repaired {line.text('image')}"
        return f"not repaired: {line.text('image')} {line.text('cause')}"
    images, users = line.texts("images"), line.texts("used_by")
    affected = count(len(images), "image") + (
        f", {count(len(users), 'container')}" if users else ""
    )
    what = f"{line.text('kind')} {short(line.text('digest'))}"
    return f"damaged {what}: {line.text('cause')} ({affected}: {', '.join(images[:3])})"


def summary_lines(last: JsonObject, *, repair: bool) -> list[str]:
    """Return the end of the report."""
    spent = number(last, "seconds")
    rate = f"{size(number(last, 'bytes_per_second'))}/s"
    checked = f"checked {size(number(last, 'bytes'))} in {duration(spent)} ({rate})"
    damaged, repaired = last.integer("damaged"), last.integer("repaired_images")
    if not damaged:
        return [f"ok: {checked}, no damage"]
    lines = [f"{checked}: {count(damaged, 'damaged thing')}, {count(repaired, 'image')} repaired"]
    if not repair:
        lines.append("action  lading image fsck --repair")
    return lines
