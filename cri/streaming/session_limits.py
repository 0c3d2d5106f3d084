"""What ends a session from outside: nothing moved for hours, or the daemon stops."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field

from cri.streaming.client_connection import ClientConnection
from cri.streaming.wire.session_status import Outcome


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionLimits:
    """Shared by all sessions of a server."""

    idle_seconds: float
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    async def bound(
        self,
        work: Coroutine[object, object, Outcome],
        connection: ClientConnection,
    ) -> Outcome:
        """Return what `work` returns, or cancel it and say why."""
        async with asyncio.TaskGroup() as group:
            task = group.create_task(work, name="session")
            watch = group.create_task(self._wait_reason(connection), name="session limits")
            await asyncio.wait({task, watch}, return_when=asyncio.FIRST_COMPLETED)
            watch.cancel()
            if not task.done():
                task.cancel()
        return watch.result() if task.cancelled() else task.result()

    async def _wait_reason(self, connection: ClientConnection) -> Outcome:
        loop = asyncio.get_running_loop()
        while (left := connection.last_activity + self.idle_seconds - loop.time()) > 0:
            try:
                async with asyncio.timeout(left):
                    await self.stopping.wait()
                return Outcome(failure="the container runtime is stopping")
            except TimeoutError:
                continue
        return Outcome(failure=f"nothing moved for {self.idle_seconds:g} s")
