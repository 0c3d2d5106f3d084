"""Starts workers and keeps tasks, for tests: what the daemon does with its own reaper and supervisor."""

import asyncio
import sys
from collections.abc import Coroutine, Mapping, Sequence


class SubprocessWorker:
    """A process of asyncio's own child watcher."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.killed_for_memory = False

    @property
    def pid(self) -> int:
        return self._process.pid

    async def wait(self) -> int:
        return await self._process.wait()

    def may_have_met_memory_limit(self) -> bool:
        return self.killed_for_memory

    def kill(self) -> None:
        if self._process.returncode is None:
            self._process.kill()


class SubprocessLauncher:
    """Starts the real worker, or a script in its place that gets the number of the socket."""

    def __init__(self, script: str = "") -> None:
        self._script = script
        self.started: list[SubprocessWorker] = []
        self.seen: list[tuple[tuple[str, ...], dict[str, str]]] = []

    async def launch(
        self, argv: Sequence[str], *, env: Mapping[str, str], pass_fds: Sequence[int]
    ) -> SubprocessWorker:
        self.seen.append((tuple(argv), dict(env)))
        if self._script:
            argv = (sys.executable, "-c", self._script, argv[-1])
        process = await asyncio.create_subprocess_exec(*argv, env=env, pass_fds=pass_fds)
        worker = SubprocessWorker(process)
        self.started.append(worker)
        return worker


class TaskKeeper:
    """Keeps tasks alive, and waits for them at the end of a test."""

    def __init__(self) -> None:
        self.tasks: set[asyncio.Task[None]] = set()

    def spawn(self, coroutine: Coroutine[object, object, None], *, name: str) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(coroutine, name=name)
        self.tasks.add(task)
        return task

    async def wait_all(self) -> None:
        await asyncio.gather(*self.tasks, return_exceptions=True)


SPEAK = """
import json, socket, struct, sys
end = socket.socket(fileno=int(sys.argv[1]))
def take(n):
    data = b""
    while len(data) < n:
        more = end.recv(n - len(data))
        if not more: sys.exit(3)
        data += more
    return data
def hear():
    return json.loads(take(struct.unpack(">I", take(4))[0]))
def say(message):
    body = json.dumps(message).encode()
    end.sendall(struct.pack(">I", len(body)) + body)
request = hear()
"""
"""Beginning of a fake worker's script: it can hear and say messages, and has heard the request."""
