"""Collect samples, reduce them to percentiles, compare them with the aims, write them out.

Pure: numbers in, text out.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

PEER = "containerd"
BOUND = "bound"
"""A column that is no contender: the best that this machine allows."""

IMAGE_AIMS = tuple(
    (f"{files} {packing}: {metric}", bound, "at most")
    for files, pull in (("many", 0.3), ("large", 0.4))
    for packing in ("gzip", "zstd")
    for metric, bound in (("pull s", pull), ("remove s", 0.1))
)
# Metric, bound of (Lading / containerd), and which side of the bound is good.
AIMS: tuple[tuple[str, float, str], ...] = (
    ("pod up", 0.6, "at most"),
    ("pod down", 0.6, "at most"),
    ("ExecSync", 0.5, "at most"),
    ("pods up/s", 1.5, "at least"),
    ("MB per idle pod", 0.15, "at most"),
    ("MB of daemon", 1.0, "at most"),
    ("crictl exec true", 0.6, "at most"),
    ("client-go exec true", 0.6, "at most"),
    ("MB/s exec out", 0.8, "at least"),
    ("MB/s exec in", 0.8, "at least"),
    ("MB/s attach out", 0.8, "at least"),
    ("MB/s attach in", 0.8, "at least"),
    ("MB/s forward out", 0.8, "at least"),
    ("MB/s forward in", 0.8, "at least"),
    *IMAGE_AIMS,
)

EXTRACTING = "lading-extract"
"""A contender that has to be no slower than the peer, and no more."""
LIMITS = {"ListContainers p99 while pulling": 20.0}
"""Metrics by the end of their names, and what they may be at most, whatever the peer needs."""


def percentile(samples: Iterable[float], part: float) -> float:
    """Return the nearest-rank percentile of some samples."""
    ordered = sorted(samples)
    return ordered[max(0, math.ceil(part * len(ordered)) - 1)]


@dataclass
class Results:
    """Samples by metric, then by contender."""

    samples: dict[str, dict[str, list[float]]] = field(default_factory=dict)

    def add(self, contender: str, measured: Mapping[str, list[float]]) -> None:
        """Add the samples of one measurement."""
        for metric, values in measured.items():
            self.samples.setdefault(metric, {}).setdefault(contender, []).extend(values)

    def contenders(self) -> list[str]:
        """Return the contenders seen, the peer last."""
        names = {name for by_name in self.samples.values() for name in by_name}
        return sorted(names, key=lambda name: (name == BOUND, name == PEER, name))

    def ratio(self, metric: str, contender: str) -> float | None:
        """Return the ratio of medians to the peer's; None if either is missing."""
        by_name = self.samples.get(metric, {})
        if contender == PEER or contender not in by_name or PEER not in by_name:
            return None
        peer = percentile(by_name[PEER], 0.5)
        return percentile(by_name[contender], 0.5) / peer if peer else None

    def rows(self) -> list[list[str]]:
        """Return the table: a header, then a row per metric."""
        names = self.contenders()
        rows = [["metric", *(f"{name} p50 / p90" for name in names), *self.ratio_titles(names)]]
        for metric, by_name in self.samples.items():
            cells = [shown(by_name.get(name, [])) for name in names]
            ratios = [self.ratio(metric, name) for name in names if name != PEER]
            rows.append([metric, *cells, *("" if r is None else f"{r:.2f}" for r in ratios)])
        return rows

    def ratio_titles(self, names: list[str]) -> list[str]:
        """Return the headings of the ratio columns."""
        return [f"{name} / {PEER}" for name in names if name != PEER]

    def verdicts(self) -> list[str]:
        """Return one line per aim and contender: met or missed, with the number."""
        lines = []
        for metric, bound, side in AIMS:
            for name in self.contenders():
                ratio = self.ratio(metric, name)
                if ratio is None or name == BOUND:
                    continue
                bound_here = 1.0 if name == EXTRACTING else bound
                met = ratio <= bound_here if side == "at most" else ratio >= bound_here
                state = "met" if met else "MISSED"
                lines.append(f"{state:6} {metric}: {name} {ratio:.2f} ({side} {bound_here:g})")
        return lines + self.limit_verdicts()

    def limit_verdicts(self) -> list[str]:
        """Return one line per metric and contender that has a limit of its own."""
        lines = []
        for metric, by_name in self.samples.items():
            limit = LIMITS.get(metric.rpartition(": ")[2])
            for name, values in by_name.items():
                if limit is not None and name != PEER:
                    worst = max(values)
                    state = "met" if worst <= limit else "MISSED"
                    lines.append(f"{state:6} {metric}: {name} {worst:.1f} (at most {limit:g})")
        return lines


def shown(values: list[float]) -> str:
    """Return median and p90 of some samples as text."""
    if not values:
        return "-"
    if len(values) == 1:
        return f"{values[0]:.2f}"
    return f"{percentile(values, 0.5):.2f} / {percentile(values, 0.9):.2f}"


def as_text(results: Results) -> str:
    """Return an aligned table and the verdicts."""
    rows = results.rows()
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    return "\n".join([*lines, "", *results.verdicts()])


def as_markdown(results: Results, conditions: str) -> str:
    """Return the table as Markdown, under the conditions it was measured in."""
    rows = results.rows()
    lines = [conditions, "", "| " + " | ".join(rows[0]) + " |"]
    lines.append("|---" + "|---:" * (len(rows[0]) - 1) + "|")
    lines += ["| " + " | ".join(row) + " |" for row in rows[1:]]
    return "\n".join([*lines, "", *(f"- {line}" for line in results.verdicts())]) + "\n"


def as_json(results: Results, conditions: str) -> str:
    """Return all samples with their medians and ratios."""
    metrics = {
        metric: {
            name: {
                "p50": percentile(values, 0.5),
                "p90": percentile(values, 0.9),
                "ratio": results.ratio(metric, name),
                "samples": values,
            }
            for name, values in by_name.items()
        }
        for metric, by_name in results.samples.items()
    }
    return json.dumps({"conditions": conditions, "metrics": metrics}, indent=2) + "\n"
