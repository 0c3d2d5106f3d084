"""Bars of a pull on a terminal: one per layer and one for the whole, drawn on standard error by rich."""

from collections.abc import Iterator

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from cri.command.texts import number
from image.model.json_document import JsonObject

MAX_BARS = 12
"""More layers than this are summed up in the bar of the whole; a terminal has 24 lines."""


def show_bars(lines: Iterator[JsonObject], console: Console | None = None) -> list[JsonObject]:
    """Draw until the end; return the lines of what was pulled."""
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[phase]}"),
        console=console or Console(stderr=True),
        transient=True,
    )
    bars: dict[str, TaskID] = {}
    outcomes: list[JsonObject] = []
    with progress:
        for line in lines:
            if line.text("event") == "done":
                outcomes.append(line)
            else:
                _draw(progress, bars, line)
    return outcomes


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
    if key not in bars:
        bars[key] = progress.add_task(text, total=None, phase="")
    present = facts.text("phase") == "present"
    total = number(facts, "total_bytes")
    progress.update(
        bars[key],
        total=total or None,
        completed=total if present else number(facts, "bytes"),
        phase="here already" if present else facts.text("phase"),
    )
