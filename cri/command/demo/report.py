"""What the demo tells while it runs and at its end: lines for people, or one JSON document. Plain text, no colours."""

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One finished step."""

    name: str
    seconds: float
    detail: str = ""
    """What it showed: one or more lines."""


@dataclass(kw_only=True, slots=True)
class Outcome:
    """Everything that happened."""

    steps: list[Step] = field(default_factory=list)
    error: str = ""
    """Why it could not go on, empty when it ran to its end."""
    leftovers: tuple[str, ...] = ()
    """What was still there after everything was taken down."""

    @property
    def ok(self) -> bool:
        """Whether every step worked and nothing is left."""
        return not self.error and not self.leftovers

    def as_document(self) -> dict[str, object]:
        """Return the JSON form."""
        return {
            "schema": "lading.demo/v1",
            "ok": self.ok,
            "error": self.error,
            "leftovers": list(self.leftovers),
            "steps": [
                {"name": step.name, "seconds": round(step.seconds, 4), "detail": step.detail}
                for step in self.steps
            ],
        }


class Report(Protocol):
    """Receives steps as they end."""

    def step(self, step: Step) -> None:
        """Take one finished step."""

    def end(self, outcome: Outcome) -> None:
        """Take the end."""


class JsonReport:
    """Says nothing on the way; the verb prints the document."""

    def step(self, step: Step) -> None:
        """Take one finished step."""

    def end(self, outcome: Outcome) -> None:
        """Take the end."""


class TextReport:
    """Prints a line per step, its details indented below, and a verdict."""

    def step(self, step: Step) -> None:
        """Print one finished step with its time."""
        first, *rest = step.detail.splitlines() or [""]
        print(f"{_duration(step.seconds)}  {step.name:<22} {first}".rstrip(), flush=True)
        for line in rest:
            print(f"{'':>9}  {'':<22} {line}", flush=True)

    def end(self, outcome: Outcome) -> None:
        """Print the verdict."""
        if outcome.error:
            print(f"failed: {outcome.error}", flush=True)
        for line in outcome.leftovers:
            print(f"left behind: {line}", flush=True)
        if outcome.ok:
            total = sum(step.seconds for step in outcome.steps)
            print(f"all ok in {total:.1f} s: {summary(outcome)}; nothing is left", flush=True)


def summary(outcome: Outcome) -> str:
    """Return the times that matter in one line, in milliseconds."""
    wanted = (
        "pull",
        "pod sandbox up",
        "container created",
        "container started",
        "exec",
        "pod down",
    )
    times = {step.name: step.seconds for step in outcome.steps}
    return ", ".join(f"{name} {times[name] * 1000:.0f} ms" for name in wanted if name in times)


def _duration(seconds: float) -> str:
    return f"{seconds * 1000:6.0f} ms"
