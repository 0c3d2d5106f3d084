"""Tells whoever counts how long the programs of drivers took: CNI plugins, and OCI runtimes by verb.

Promise: what is told is a name, a verb, an outcome and seconds, never an id; without a listener nothing is kept. A
listener must neither wait nor raise, since it runs where the program was waited for.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

Listener = Callable[[str, str, str, float], None]
"""Takes the program's name, the verb, `ok`, `error` or `cancelled`, and seconds."""


@dataclass(slots=True)
class TimedCall:
    """One call that runs."""

    outcome: str = "ok"
    """What is told when the block ends well; set it to `error` when the program itself failed."""


class ProgramTimes:
    """Where one kind of programs is timed; the listener comes when there is somebody who counts."""

    def __init__(self) -> None:
        self.listener: Listener | None = None

    @contextmanager
    def timed(self, name: str, verb: str) -> Iterator[TimedCall]:
        """Time the block as one call; one that raises is an error, and is timed too."""
        begin, call, outcome = time.monotonic(), TimedCall(), "error"
        try:
            yield call
            outcome = call.outcome
        except asyncio.CancelledError:
            outcome = "cancelled"
            raise
        finally:
            if self.listener is not None:
                self.listener(name, verb, outcome, time.monotonic() - begin)
