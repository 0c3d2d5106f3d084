"""A pull that runs, with everybody who waits for it: its outcome, its listeners, and what it looks like.

Used by `image.pulls.puller` alone; starts nothing and decides nothing.
"""

import asyncio
import secrets
import time
from collections.abc import Callable

from image.errors import ImageError
from image.exchange.messages import PullEvent
from image.model.records import ImageRecord
from image.pulls.pull_picture import PullPicture


class SharedPull:
    """A running pull and those who wait for it."""

    def __init__(self) -> None:
        self.result: asyncio.Future[ImageRecord] = asyncio.get_running_loop().create_future()
        self.listeners: list[Callable[[PullEvent], None]] = []
        self.waiters = 0
        self.callers: list[str] = []
        """Who waits, one word each."""
        self.id = secrets.token_hex(4)
        self.picture = PullPicture(time.monotonic)
        self.task: asyncio.Task[None] | None = None

    def tell(self, event: PullEvent) -> None:
        """Show an event to all who listen."""
        self.picture.take(event)
        for listener in tuple(self.listeners):
            listener(event)

    def fail(self, error: ImageError) -> None:
        """Tell all who wait that it failed; the first outcome stays."""
        if not self.result.done():
            self.result.set_exception(error)
            # Joined pulls may all have left by now; an exception that nobody fetches would be reported as lost.
            self.result.exception()
