"""Where background tasks of the drivers live.

The daemon implements it: it names tasks, keeps them alive and logs one that ends although it should not. Code below it
never makes a task that nobody holds; a short task belongs in a TaskGroup instead.
"""

import asyncio
from collections.abc import Coroutine
from typing import Protocol


class Supervisor(Protocol):
    """Runs coroutines that outlive the call that starts them."""

    def spawn(self, coroutine: Coroutine[object, object, None], *, name: str) -> asyncio.Task[None]:
        """Run `coroutine` as a named task; its failure is logged, never lost."""
