"""Bars follow the lines, one per layer up to a number."""

import io

import pytest
from rich.console import Console

from cri.command.image.pull_bars import MAX_BARS, show_bars
from image.model.json_document import JsonObject


def line(**fields: object) -> JsonObject:
    return JsonObject(subject="x", fields=fields)


def layer(number: int, phase: str, waits: str = "") -> dict[str, object]:
    return {
        "digest": f"layer{number:02}",
        "phase": phase,
        "bytes": 5,
        "total_bytes": 10,
        "waiting_for": waits,
    }


def test_bars_are_drawn_and_the_last_line_returned() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=120, height=40)
    layers = [layer(n, "present" if n == 0 else "downloading") for n in range(MAX_BARS + 5)]
    step = line(event="progress", reference="r/app:v2", phase="downloading", layers=layers)
    done = line(event="done")
    assert show_bars(iter([step, done]), console) == [done]
    drawn = out.getvalue()
    assert "app:v2" in drawn
    assert "here already" in drawn
    assert f"layer{MAX_BARS + 2:02}" not in drawn


def test_a_stream_without_end_gives_nothing() -> None:
    assert show_bars(iter([]), Console(file=io.StringIO())) == []


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_each_bar_is_one_line_on_every_terminal(width: int) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=width, height=40)
    layers = [layer(1, "downloading"), layer(2, "waiting", "a download slot")]
    fields = {"reference": "r/app:v2", "phase": "downloading", "layers": layers, "bytes": 10}
    step = line(event="progress", **fields, total_bytes=20)
    assert show_bars(iter([step]), console) == []
    last = out.getvalue().rpartition("app:v2")[2].split("\x1b[2K")[0].strip().splitlines()
    assert [name in text for name, text in zip(("", "layer01", "layer02"), last, strict=False)] == [
        True,
        True,
        True,
    ]
    assert "50 %" in last[0] or "10 B of 20 B" in last[0]
    assert "waits for" in last[2]
