"""Begin and end of each driver operation in the log, and a word while one takes very long.

The watchdog is a timer of the loop, not a task: it only speaks, the operation's own deadline acts.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

SLOW_SECONDS = 30.0
"""Twice what the slowest healthy create took on a loaded node; said again at each multiple."""

_log = logging.getLogger("runtime.drivers.operation")


@asynccontextmanager
async def logged_operation(
    operation: str, id: str, slow_seconds: float = SLOW_SECONDS
) -> AsyncIterator[None]:
    """Log the begin, the end with result and duration, and that the call still runs after `slow_seconds`."""
    begin = time.monotonic()
    watchdog = _Watchdog(operation, id, slow_seconds)
    _log.debug("%s %s begins", operation, id)
    try:
        yield
    except asyncio.CancelledError:
        _log.info("%s %s was cancelled after %.1f ms", operation, id, _since(begin))
        raise
    except Exception as error:
        _log.info("%s %s failed after %.1f ms: %s", operation, id, _since(begin), error)
        raise
    else:
        _log.debug("%s %s ended after %.1f ms", operation, id, _since(begin))
    finally:
        watchdog.stop()


def _since(begin: float) -> float:
    return (time.monotonic() - begin) * 1000


class _Watchdog:
    """Says again and again that an operation still runs."""

    def __init__(self, operation: str, id: str, seconds: float) -> None:
        self._operation = operation
        self._id = id
        self._seconds = seconds
        self._times = 0
        self._timer = asyncio.get_running_loop().call_later(seconds, self._speak)

    def _speak(self) -> None:
        self._times += 1
        waited = self._times * self._seconds
        _log.warning("%s %s still runs after %.0f s", self._operation, self._id, waited)
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._speak)

    def stop(self) -> None:
        self._timer.cancel()
