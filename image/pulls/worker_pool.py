"""Workers to hand: one started process is kept warm for a while, so that the next pull need not wait for it.

Promise: a worker serves one conversation and is dead and reaped afterwards, whatever happens; a warm one that dies is
replaced by a new one, and one that is not wanted in time is ended. The daemon's half: it imports nothing heavy.
"""

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from typing import Protocol

from image.errors import ImageError, ResourceExhausted
from image.exchange.channel import Channel


class RunningWorker(Protocol):
    """A worker process that was started."""

    @property
    def pid(self) -> int:
        """Its process id."""

    async def wait(self) -> int:
        """Wait until it has ended and was reaped; return its exit code, negative for a signal."""

    def may_have_met_memory_limit(self) -> bool:
        """Tell whether the kernel has killed a worker for want of memory since this one was started."""

    def kill(self) -> None:
        """Send SIGKILL; fine when it has ended."""


class WorkerLauncher(Protocol):
    """Starts worker processes; the daemon's own sees to it that its one reaper knows each child."""

    async def launch(
        self, argv: Sequence[str], *, env: Mapping[str, str], pass_fds: Sequence[int]
    ) -> RunningWorker:
        """Start a program with these descriptors kept open under their numbers, and no others but 0 to 2."""


_END_SECONDS = 10.0
"""For a killed process whose sockets are closed to be collected."""

Spawn = Callable[[Coroutine[object, object, None], str], asyncio.Task[None]]


class _Worker:
    """A process and our end of the socket to it."""

    def __init__(self, running: RunningWorker, channel: Channel) -> None:
        self.running = running
        self.channel = channel

    async def met_memory_limit(self) -> bool:
        """Tell whether this worker, which has closed its end of the socket, was killed for want of memory."""
        try:
            async with asyncio.timeout(_END_SECONDS):
                code = await self.running.wait()
        except TimeoutError:
            return False
        return code == -signal.SIGKILL and self.running.may_have_met_memory_limit()

    async def end(self) -> None:
        self.running.kill()
        await self.channel.close()
        await self.running.wait()


class WorkerPool:
    """Starts workers, and keeps at most one warm."""

    def __init__(
        self,
        launcher: WorkerLauncher,
        *,
        argv: Callable[[int], Sequence[str]],
        environment: Callable[[], Mapping[str, str]],
        keep_seconds: float = 0.0,
        spawn: Spawn | None = None,
    ) -> None:
        self._launcher = launcher
        self._argv = argv
        self._environment = environment
        self._keep_seconds = keep_seconds
        self._spawn = spawn
        self._warm: _Worker | None = None
        self._keeper: asyncio.Task[None] | None = None

    @contextlib.asynccontextmanager
    async def worker(self) -> AsyncIterator[Channel]:
        """Give a channel to a worker that has served nobody; it is dead and reaped afterwards."""
        worker = self._take_warm() or await self._start()
        try:
            yield worker.channel
        except ImageError as error:
            if error.reason == "WorkerDied" and await worker.met_memory_limit():
                raise _too_large(error.subject) from error
            raise
        finally:
            await worker.end()
            self._keep_one()

    async def close(self) -> None:
        """End the warm worker."""
        self._keep_seconds = 0.0
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])

    def _take_warm(self) -> _Worker | None:
        worker, self._warm = self._warm, None
        if self._keeper is not None and worker is not None:
            self._keeper.cancel()
        return worker

    def _keep_one(self) -> None:
        idle = self._keeper is None or self._keeper.done()
        if self._keep_seconds and self._spawn is not None and idle:
            self._keeper = self._spawn(self._keep(), "warm pull worker")

    async def _keep(self) -> None:
        """Hold a started worker until it is taken, dies, or is not wanted any more."""
        try:
            worker = self._warm = await self._start()
        except ImageError:
            return  # whoever needs a worker is told
        try:
            async with asyncio.timeout(self._keep_seconds):
                await worker.running.wait()
        except TimeoutError:
            pass
        finally:
            if self._warm is worker:
                self._warm = None
                await worker.end()

    async def _start(self) -> _Worker:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        try:
            fd = theirs.fileno()
            running = await self._launcher.launch(
                self._argv(fd), env=self._environment(), pass_fds=(fd,)
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        return _Worker(running, await Channel.open(ours))


def _too_large(subject: str) -> ResourceExhausted:
    return ResourceExhausted(
        subject,
        "worker process was killed at the memory limit of all pull workers",
        remedy="raise image.worker_memory, or pull fewer images at once",
        reason="WorkerMemory",
    )
