"""A supervisor for tests: tasks live in a TaskGroup, so that none outlives its test and each failure is seen."""

import asyncio
from collections.abc import Coroutine


class TaskGroupSupervisor:
    """Implements runtime.drivers.supervisor.Supervisor; use it as an async context manager."""

    def __init__(self) -> None:
        self._group = asyncio.TaskGroup()
        self.tasks: list[asyncio.Task[None]] = []
        """All tasks so far."""

    async def __aenter__(self) -> "TaskGroupSupervisor":
        await self._group.__aenter__()
        return self

    async def __aexit__(self, *exception: object) -> None:
        for task in self.tasks:
            task.cancel()
        await self._group.__aexit__(None, None, None)

    def spawn(self, coroutine: Coroutine[object, object, None], *, name: str) -> asyncio.Task[None]:
        """Run a coroutine as a named task."""
        task = self._group.create_task(coroutine, name=name)
        self.tasks.append(task)
        return task
