"""What a running pull looks like from outside: phase, bytes, rate and layers, drawn from its events.

Pure but for the clock that is handed in. Events are believed for display only; nothing is decided by them.
"""

from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from image.exchange.messages import RETRYING, WAITING_FOR, PullEvent

RATE_SECONDS = 5.0
"""The rate is that of the last seconds: long enough to be steady, short enough to show a stall."""

_DONE = frozenset({"Pull complete", "Already exists"})
MAX_LAYERS = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerPicture:
    """One layer as it is now."""

    digest: str
    """First 12 digits."""
    phase: str
    """`waiting`, `downloading`, `downloaded`, `unpacking`, `done` or `present`."""
    current_bytes: int
    total_bytes: int
    """0 while unknown."""
    waiting_for: str = ""
    """Besides its turn among the layers of its image: `a download slot`, `another pull`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PullView:
    """One pull as it is now."""

    phase: str
    """`resolving`, `downloading`, `unpacking` or `committing`."""
    current_bytes: int
    total_bytes: int
    """Of the layers that are fetched; 0 while unknown."""
    bytes_per_second: float
    source: str
    """The endpoint that serves it; empty while unknown."""
    phase_seconds: Mapping[str, float]
    """How long it was in each phase so far."""
    layers: tuple[LayerPicture, ...]
    waiting_for: str = ""
    """What the whole pull waits for; empty while bytes move."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PullOutcome:
    """A pull that has ended, for counting."""

    seconds: float
    reason: str
    """Empty when it succeeded."""
    downloaded_bytes: int
    layers_made: int
    layers_present: int
    present_bytes: int = 0
    """Of the blobs that were not fetched, as far as they are known."""
    phase_seconds: Mapping[str, float] = field(default_factory=dict)


class PullPicture:
    """Takes events, gives pictures."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.started = clock()
        self._layers: dict[str, LayerPicture] = {}
        self._samples: deque[tuple[float, int]] = deque()
        self._source = ""
        self._ending = False
        self._spent: Counter[str] = Counter()
        self._since = self.started
        self._retry = (0.0, "")

    def take(self, event: PullEvent) -> None:
        """Take one event."""
        self._note_time()
        if event.layer:
            self._take_layer(event)
        elif event.status.startswith("Serving from "):
            self._source = event.status.removeprefix("Serving from ")
        elif event.status.startswith(RETRYING):
            self._take_pause(event.status.removeprefix(RETRYING))
        elif event.status.startswith("Status: "):
            self._ending = True

    def now(self) -> PullView:
        """Return what the pull looks like."""
        self._note_time()
        fetched = [one for one in self._layers.values() if one.phase != "present"]
        return PullView(
            phase=self._phase(),
            current_bytes=self._downloaded(),
            total_bytes=sum(one.total_bytes for one in fetched),
            bytes_per_second=self._rate(),
            source=self._source,
            phase_seconds=self._spent_seconds(),
            layers=tuple(self._layers.values()),
            waiting_for=self._waiting_for(),
        )

    def outcome(self, reason: str) -> PullOutcome:
        """Return the pull as ended now; `reason` is empty when it succeeded."""
        self._note_time()
        present = [one for one in self._layers.values() if one.phase == "present"]
        phases = [one.phase for one in self._layers.values()]
        return PullOutcome(
            seconds=self._clock() - self.started,
            reason=reason,
            downloaded_bytes=self._downloaded(),
            layers_made=phases.count("done"),
            layers_present=len(present),
            present_bytes=sum(one.total_bytes for one in present),
            phase_seconds=self._spent_seconds(),
        )

    def _take_layer(self, event: PullEvent) -> None:
        old = self._layers.get(event.layer)
        if old is None and len(self._layers) >= MAX_LAYERS:
            return
        total = (event.total if event.status != "Extracting" else 0) or (
            old.total_bytes if old else 0
        )
        current = old.current_bytes if old else 0
        match event.status:
            case "Downloading":
                phase, current = "downloading", event.current
            case "Verifying Checksum":
                phase, current = "downloading", total
            case "Download complete":
                phase, current = "downloaded", total
            case "Extracting":
                phase = "unpacking"
            case "Already exists":
                phase = "present"
            case status if status in _DONE:
                phase, current = "done", total
            case _:
                phase = "waiting"
        self._layers[event.layer] = LayerPicture(
            digest=event.layer,
            phase=phase,
            current_bytes=current,
            total_bytes=total,
            waiting_for=_waited_for(event.status, old) if phase == "waiting" else "",
        )
        self._sample()

    def _take_pause(self, text: str) -> None:
        seconds, _, cause = text.partition(" s: ")
        if seconds.isdecimal():
            self._retry = (self._clock() + int(seconds[:6]), cause)

    def _waiting_for(self) -> str:
        until, cause = self._retry
        left = until - self._clock()
        if left > 0 and not self._rate():
            return f"its next try in {left:.0f} s ({cause})"
        if any(one.phase in ("downloading", "unpacking") for one in self._layers.values()):
            return ""
        waits = {one.waiting_for for one in self._layers.values() if one.waiting_for}
        return " and ".join(sorted(waits))

    def _spent_seconds(self) -> dict[str, float]:
        return {name: spent / 1e6 for name, spent in self._spent.items()}

    def _downloaded(self) -> int:
        return sum(one.current_bytes for one in self._layers.values() if one.phase != "present")

    def _note_time(self) -> None:
        now = self._clock()
        self._spent[self._phase()] += round((now - self._since) * 1e6)
        self._since = now

    def _sample(self) -> None:
        now = self._clock()
        self._samples.append((now, self._downloaded()))
        while now - self._samples[0][0] > RATE_SECONDS:
            self._samples.popleft()

    def _rate(self) -> float:
        recent = [one for one in self._samples if self._clock() - one[0] <= RATE_SECONDS]
        if len(recent) < 2:
            return 0.0
        (begin, first), (_, last) = recent[0], recent[-1]
        passed = max(self._clock() - begin, 0.001)
        return max(0, last - first) / passed

    def _phase(self) -> str:
        phases = {one.phase for one in self._layers.values()}
        if self._ending:
            return "committing"
        if not self._layers:
            return "resolving"
        if phases & {"downloading", "waiting"}:
            return "downloading"
        return "unpacking"


def _waited_for(status: str, old: LayerPicture | None) -> str:
    """Return what a waiting layer waits for; one that only waits its turn may have been told more before."""
    if status.startswith(WAITING_FOR):
        return status.removeprefix(WAITING_FOR)
    return old.waiting_for if old else ""
