"""Read critest's JSON report, and compare it with the list of specs that must pass.

Pure apart from reading and writing the two files it is given; runs nothing.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

PASSED = "passed"
NOT_RUN = frozenset({"skipped", "pending"})


@dataclass(frozen=True, kw_only=True)
class Spec:
    """One `It` of the suite and how it ended."""

    name: str
    state: str
    reason: str
    seconds: float


def read_report(path: Path) -> list[Spec]:
    """Return the `It` specs of a Ginkgo JSON report; set-up nodes are no specs."""
    specs = []
    for suite in json.loads(path.read_text()):
        for report in suite["SpecReports"] or []:
            if report["LeafNodeType"] != "It":
                continue
            words = [*(report["ContainerHierarchyTexts"] or []), report["LeafNodeText"]]
            failure = report.get("Failure") or {}
            specs.append(
                Spec(
                    name=" ".join(words),
                    state=report["State"],
                    reason=" ".join(str(failure.get("Message", "")).split())[:300],
                    seconds=report.get("RunTime", 0) / 1e9,
                )
            )
    return sorted(specs, key=lambda spec: spec.name)


def read_expected(path: Path) -> set[str]:
    """Return the names in a list of specs; `#` begins a comment line."""
    if not path.exists():
        return set()
    lines = (line.strip() for line in path.read_text().splitlines())
    return {line for line in lines if line and not line.startswith("#")}


def broken_promises(specs: Iterable[Spec], expected: set[str]) -> list[str]:
    """Return what must pass and did not, each with what happened instead."""
    seen = {spec.name: spec for spec in specs}
    lines = []
    for name in sorted(expected):
        spec = seen.get(name)
        if spec is None:
            lines.append(f"{name}: not in this run")
        elif spec.state != PASSED:
            lines.append(f"{name}: {spec.state}")
    return lines


def grow(path: Path, specs: Iterable[Spec], promised_elsewhere: set[str]) -> int:
    """Add the passed specs to the list and return how many are new; never takes one away."""
    expected = read_expected(path)
    passed = {spec.name for spec in specs if spec.state == PASSED} - promised_elsewhere
    old = path.read_text().splitlines() if path.exists() else []
    header = [line for line in old if line.startswith("#")]
    path.write_text("\n".join([*header, *sorted(expected | passed)]) + "\n")
    return len(passed - expected)


def summary(specs: list[Spec]) -> str:
    """Return the counts, then every spec that failed with its reason."""
    counts = Counter(spec.state for spec in specs)
    lines = [", ".join(f"{number} {state}" for state, number in sorted(counts.items()))]
    lines[0] += f" of {len(specs)} specs in {sum(spec.seconds for spec in specs):.0f} s"
    lines.extend(
        f"{spec.state.upper()}: {spec.name}\n    {spec.reason}"
        for spec in specs
        if spec.state != PASSED and spec.state not in NOT_RUN
    )
    return "\n".join(lines)
