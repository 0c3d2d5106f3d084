"""Bars of a pull on a terminal: one per layer and one for the whole, drawn on standard error by rich.

A narrow terminal gets less of each line, never two lines for one bar.
"""

from collections.abc import Iterator

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.table import Column
from rich.text import Text

from cri.command.texts import duration, number, size
from image.model.json_document import JsonObject

MAX_BARS = 12
"""More layers than this are summed up in the bar of the whole; a terminal has 24 lines."""

_WIDE, _MIDDLE = 90, 60
"""Columns that all of a line needs, and all but the bar."""


class _Told(ProgressColumn):
    """One fact about a bar; nothing while it is not known."""

    def __init__(self, fact: str) -> None:
        super().__init__(Column(no_wrap=True, justify="right"))
        self._fact = fact

    def render(self, task: Task) -> Text:
        """Return the fact in words."""
        return Text(_facts(task)[self._fact])


def show_bars(lines: Iterator[JsonObject], console: Console | None = None) -> list[JsonObject]:
    """Draw until the end; return the lines of what was pulled."""
    console = console or Console(stderr=True)
    progress = Progress(*_columns(console.width), console=console, transient=True)
    bars: dict[str, TaskID] = {}
    outcomes: list[JsonObject] = []
    with progress:
        for line in lines:
            if line.text("event") == "done":
                outcomes.append(line)
            else:
                _draw(progress, bars, line)
    return outcomes


def _columns(width: int) -> list[ProgressColumn]:
    name = TextColumn("{task.description}", table_column=Column(no_wrap=True, overflow="ellipsis"))
    phase = TextColumn(
        "{task.fields[phase]}", table_column=Column(no_wrap=True, overflow="ellipsis")
    )
    if width >= _WIDE:
        bar = BarColumn(bar_width=24)
        return [name, bar, _Told("amount"), _Told("rate"), _Told("left"), phase]
    if width >= _MIDDLE:
        return [name, _Told("amount"), _Told("rate"), _Told("left"), phase]
    return [name, _Told("percent"), phase]


def _facts(task: Task) -> dict[str, str]:
    total, done = task.total or 0, task.completed
    moving = task.fields["moving"] and not task.finished
    left = task.time_remaining if moving else None
    return {
        "percent": f"{100 * done / total:.0f} %" if total else "",
        "amount": f"{size(done)} of {size(total)}" if total else "",
        "rate": f"{size(task.speed)}/s" if moving and task.speed else "",
        "left": f"{duration(max(1.0, left))} left" if left is not None else "",
    }


def _draw(progress: Progress, bars: dict[str, TaskID], line: JsonObject) -> None:
    name = line.text("reference").rpartition("/")[2]
    _move(progress, bars, "", name, line)
    for layer in line.children("layers"):
        digest = layer.text("digest")
        if digest in bars or len(bars) <= MAX_BARS:
            _move(progress, bars, digest, f"  {digest}", layer)


def _move(
    progress: Progress, bars: dict[str, TaskID], key: str, text: str, facts: JsonObject
) -> None:
    phase, waits = facts.text("phase"), facts.text("waiting_for", default="")
    if key not in bars:
        bars[key] = progress.add_task(text, total=None, phase=phase, moving=False)
    present = phase == "present"
    total = number(facts, "total_bytes")
    shown = "here already" if present else f"waits for {waits}" if waits else phase
    progress.update(
        bars[key],
        total=total or None,
        completed=total if present else number(facts, "bytes"),
        phase=shown,
        moving=phase == "downloading",
    )
