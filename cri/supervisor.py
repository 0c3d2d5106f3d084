"""The one place in the daemon where tasks are made that outlive the call that started them.

Every task has a name, is kept alive (the event loop holds only weak references), and its failure is logged. An eternal
task that ends by itself is logged as a fault of ours. Never restarts anything: what failed once says why, and stays.
"""

import asyncio
import logging
from collections.abc import Coroutine

log = logging.getLogger(__name__)


class TaskSupervisor:
    """Implements `runtime.drivers.supervisor.Supervisor` on the running loop."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._eternal: set[asyncio.Task[None]] = set()
        self._stopping = False

    def spawn(self, coroutine: Coroutine[object, object, None], *, name: str) -> asyncio.Task[None]:
        """Run `coroutine` as a task with an end of its own."""
        task = asyncio.create_task(coroutine, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def spawn_eternal(
        self, coroutine: Coroutine[object, object, None], *, name: str
    ) -> asyncio.Task[None]:
        """Run `coroutine` as a task that must not end before `stop`."""
        task = self.spawn(coroutine, name=name)
        self._eternal.add(task)
        return task

    def running(self) -> tuple[str, ...]:
        """Return the names of all tasks that run, sorted."""
        return tuple(sorted(task.get_name() for task in self._tasks))

    async def stop(self) -> None:
        """Cancel every task and wait until all have ended."""
        self._stopping = True
        while self._tasks:
            tasks = tuple(self._tasks)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        eternal = task in self._eternal
        self._eternal.discard(task)
        if task.cancelled():
            if eternal and not self._stopping:
                log.error("task %s was cancelled although it must run for ever", task.get_name())
            return
        error = task.exception()
        if error is not None:
            log.error("task %s failed: %s", task.get_name(), error, exc_info=error)
        elif eternal and not self._stopping:
            log.error("task %s has ended although it must run for ever", task.get_name())
