"""A pull as others see it: whoever asks what the node does, and whoever counts.

Pure declarations; `image.pulls.puller` fills them in.
"""

from dataclasses import dataclass
from typing import Protocol

from image.pulls.neighbours import RequestObserver
from image.pulls.pull_picture import PullOutcome, PullPicture, PullView


class PullObserver(RequestObserver, Protocol):
    """Hears of every pull that ended; metrics implement it."""

    def pull_ended(self, outcome: PullOutcome) -> None:
        """Take note of one pull; must not wait or raise."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunningPull:
    """A pull that runs now, for whoever asks what the node does."""

    id: str
    """Eight hex digits, of this run of the daemon."""
    reference: str
    platform: str
    """Empty: this host's."""
    callers: tuple[str, ...]
    """Who waits for it, one word each: `cri` for kubelet and crictl, `operator` for the command line."""
    age_seconds: float
    view: PullView
    picture: PullPicture
    """Goes on to show the pull, and how it was when it had ended."""
