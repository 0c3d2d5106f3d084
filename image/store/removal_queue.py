"""Delete what was moved out of the way, in a thread of its own: a large layer takes the disk seconds.

Promise: what is put here is deleted in order, one thing at a time; nobody has to wait for it. A failure is logged and
leaves the rest where the store's next collection finds it, as does the end of the process. No thread is kept when there
is nothing to do.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from image.errors import ImageError

log = logging.getLogger(__name__)

_PATIENCE_SECONDS = 0.02
"""How long a removal waits for the disk: what is small is gone when the call returns, what is large goes behind it."""


class RemovalQueue:
    """Deletes by `discard`; safe to use from any thread."""

    def __init__(self, discard: Callable[[Path], None]) -> None:
        self._discard = discard
        self._waiting: deque[Path] = deque()
        self._changed = threading.Condition()
        self._works = False

    def delete(self, paths: Sequence[Path]) -> None:
        """Have paths deleted, and give what is small the time to be gone."""
        self.put(paths)
        self.wait(_PATIENCE_SECONDS)

    def put(self, paths: Sequence[Path]) -> None:
        """Have paths deleted."""
        with self._changed:
            self._waiting.extend(paths)
            if self._waiting and not self._works:
                self._works = True
                # Not joined when the process ends: what is left is deleted after the next start.
                threading.Thread(target=self._work, name="image-removal", daemon=True).start()

    def wait(self, seconds: float) -> bool:
        """Wait until nothing is left, but not longer; return whether nothing is."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._works, seconds)

    def _work(self) -> None:
        while (path := self._first()) is not None:
            try:
                self._discard(path)
            except (OSError, ImageError) as error:
                log.warning("what was removed stays on the disk for now: %s: %s", path, error)
            except Exception:
                # The thread must live on: with it all later removals would stay.
                log.exception("what was removed stays on the disk for now: %s", path)
            with self._changed:
                self._waiting.popleft()

    def _first(self) -> Path | None:
        with self._changed:
            if self._waiting:
                return self._waiting[0]
            self._works = False
            self._changed.notify_all()
            return None
