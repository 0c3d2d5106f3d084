"""A container driver in memory: behaves as `driver.py` promises, starts nothing, fails and hangs on request.

`fail("start", error)` makes the next call of that operation raise, `hang("start")` makes it wait until `release`.
`container(id).exit(code)` ends a container as if its program had. The contract suite runs against it too.
"""

import asyncio
import itertools
import signal
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from runtime.drivers.driver import (
    ContainerIdentity,
    CreateRequest,
    DriverFeatures,
    ExecRequest,
    ExecResult,
    ExecSession,
    ExecStreamRequest,
    ExitStatus,
    SystemSummary,
)
from runtime.drivers.failure_causes import missing_program
from runtime.errors import (
    DeadlineExceeded,
    FailedPrecondition,
    Internal,
    NotFound,
    PodRuntimeError,
    Unimplemented,
)
from runtime.records.resources import LinuxResources
from runtime.tests.fakes.fake_container import FakeContainer, RunsOn

FEATURES = DriverFeatures(
    version="fake 1", recursive_read_only_mounts=True, user_namespaces=True, mount_options=True
)


class FakeHandle:
    """A handle on a FakeContainer."""

    def __init__(self, driver: "FakeDriver", container: FakeContainer) -> None:
        self._driver = driver
        self._container = container
        self._closed = False

    @property
    def id(self) -> str:
        """The container's id."""
        return self._container.request.id

    @property
    def identity(self) -> ContainerIdentity:
        """Its processes."""
        return self._container.identity

    async def _begin(self, operation: str) -> FakeContainer:
        self._check_open(operation)
        await self._driver.step(operation)
        return self._container

    def _check_open(self, operation: str) -> None:
        if self._closed:
            raise FailedPrecondition(
                f"{operation} {self.id}", "the handle is closed", reason="AlreadyClosed"
            )

    def _require(self, operation: str, *statuses: str) -> None:
        if self._container.status not in statuses:
            raise FailedPrecondition(
                f"{operation} {self.id}",
                f"the container is {self._container.status}",
                reason="WrongState",
            )

    async def start(self) -> None:
        """Start it."""
        container = await self._begin("start")
        self._require("start", "created")
        container.status = "running"

    async def exec(self, request: ExecRequest) -> ExecResult:
        """Answer from the container's exec_answer."""
        container = await self._begin("exec")
        self._require("exec", "running")
        try:
            return container.exec_answer(request)
        except FileNotFoundError as error:
            raise self._driver.missing_program(self.id, request) from error
        except RunsOn:
            return await self._run_on(container, request)

    async def _run_on(self, container: FakeContainer, request: ExecRequest) -> ExecResult:
        try:
            async with asyncio.timeout(request.timeout_seconds):  # the request's own limit
                await asyncio.shield(container.ended)
        except TimeoutError as error:
            raise DeadlineExceeded(
                f"exec in {self.id}", "the time limit passed", reason="ExecTimeout"
            ) from error
        return ExecResult(exit_code=137, stdout=b"", stderr=b"")

    async def exec_stream(self, request: ExecStreamRequest) -> ExecSession:
        """Start a session that the test ends."""
        container = await self._begin("exec_stream")
        self._require("exec_stream", "running")
        return container.open_session(request)

    async def attach(self) -> socket.socket:
        """Connect to what the test sends."""
        container = await self._begin("attach")
        self._require("attach", "created", "running", "paused")
        return container.attach()

    async def resize_terminal(self, width: int, height: int) -> None:
        """Note the size."""
        container = await self._begin("resize_terminal")
        self._require("resize_terminal", "created", "running", "paused")
        container.sizes.append((width, height))

    async def wait(self) -> ExitStatus:
        """Wait for the end."""
        return await asyncio.shield((await self._begin("wait")).ended)

    async def wait_with_timeout(self, seconds: float) -> ExitStatus:
        """Wait for the end, at most `seconds`."""
        try:
            async with asyncio.timeout(seconds):  # the caller's limit
                return await self.wait()
        except TimeoutError as error:
            raise DeadlineExceeded(
                f"wait for {self.id}", f"it did not end in {seconds:g} s", reason="WaitTimeout"
            ) from error

    async def signal(self, number: int) -> bool:
        """Send a signal."""
        return (await self._begin("signal")).deliver(number)

    async def shutdown(self, signal: int) -> None:
        """Ask it to end."""
        (await self._begin("shutdown")).deliver(signal)

    async def terminate(self) -> None:
        """Kill it."""
        (await self._begin("terminate")).deliver(signal.SIGKILL)

    async def pause(self) -> None:
        """Freeze it."""
        container = await self._begin("pause")
        self._require("pause", "running")
        container.status = "paused"

    async def resume(self) -> None:
        """Thaw it."""
        container = await self._begin("resume")
        self._require("resume", "paused")
        container.status = "running"

    async def update(self, resources: LinuxResources) -> None:
        """Note the limits."""
        container = await self._begin("update")
        self._require("update", "created", "running", "paused")
        container.updates.append(resources)

    async def statistics(self) -> Mapping[str, int]:
        """Answer counters that look alive."""
        await self._begin("statistics")
        self._require("statistics", "created", "running", "paused")
        return {
            "timestamp_ns": time.time_ns(),
            "cpu_ns": 1_000_000,
            "memory_bytes": 4096,
            "pids": 1,
        }

    async def processes(self) -> tuple[int, ...]:
        """Answer the first process while it lives."""
        container = await self._begin("processes")
        return () if container.ended.done() else (container.identity.pid,)

    async def checkpoint(self, location: Path) -> None:
        """Refuse."""
        await self._begin("checkpoint")
        raise Unimplemented(f"checkpoint {self.id}", "the fake driver cannot do it")

    async def modify(self, document: Mapping[str, object]) -> None:
        """Refuse."""
        await self._begin("modify")
        raise Unimplemented(f"modify {self.id}", "the fake driver cannot do it")

    async def reopen_log(self) -> None:
        """Make the log file, as a monitor would."""
        container = await self._begin("reopen_log")
        self._require("reopen log of", "created", "running", "paused")
        container.log_reopened += 1
        if container.request.log_path:
            Path(container.request.log_path).touch()

    async def delete(self) -> None:
        """Forget a stopped or created container."""
        container = await self._begin("delete")
        if container.deleted:
            return
        self._require("delete", "created", "stopped")
        container.exit(137)
        container.deleted = True
        self._driver.forget(container)

    async def close(self) -> None:
        """Free the handle."""
        self._closed = True


class FakeDriver:
    """A ContainerDriver in memory."""

    def __init__(self, name: str = "fake", features: DriverFeatures = FEATURES) -> None:
        self.name = name
        self.features = features
        self.tried = FEATURES
        self.containers: dict[str, FakeContainer] = {}
        self.calls: list[str] = []
        """Names of the operations in the order in which they began."""
        self.requests: list[CreateRequest] = []
        self._failures: dict[str, PodRuntimeError] = {}
        self._gates: dict[str, asyncio.Event] = {}
        self._pids = itertools.count(100_000, 10)

    def fail(self, operation: str, error: PodRuntimeError | None = None) -> None:
        """Make the next call of `operation` raise."""
        self._failures[operation] = error or Internal(operation, "fails because the test said so")

    def hang(self, operation: str) -> None:
        """Make calls of `operation` wait until released."""
        self._gates[operation] = asyncio.Event()

    def release(self, operation: str) -> None:
        """Let hanging calls go on, and later ones pass."""
        self._gates.pop(operation).set()

    def container(self, id: str) -> FakeContainer:
        """Return a container for the test to act on."""
        return self.containers[id]

    def forget(self, container: FakeContainer) -> None:
        """Drop a deleted container."""
        self.containers.pop(container.request.id, None)

    def missing_program(self, id: str, request: ExecRequest) -> PodRuntimeError:
        """Return the error of a command that does not exist."""
        return missing_program(f"exec in {id}", request.command[0])

    async def step(self, operation: str) -> None:
        """Record a call, and hang or fail as told."""
        self.calls.append(operation)
        await asyncio.sleep(0)  # as with a real driver, other tasks run meanwhile
        gate = self._gates.get(operation)
        if gate is not None:
            await gate.wait()
        error = self._failures.pop(operation, None)
        if error is not None:
            raise error

    async def probe(self) -> DriverFeatures:
        """Answer the features it was made with."""
        await self.step("probe")
        return self.features

    async def try_features(self, memory: Path) -> DriverFeatures:
        """Answer what a trial would have found."""
        await self.step("try_features")
        return self.tried

    async def create(self, request: CreateRequest) -> FakeHandle:
        """Create a container."""
        await self.step("create")
        self.requests.append(request)
        container = FakeContainer(request, next(self._pids))
        self.containers[request.id] = container
        if request.log_path:
            Path(request.log_path).touch()
        return FakeHandle(self, container)

    async def open(self, id: str, bundle: Path, identity: ContainerIdentity) -> FakeHandle:
        """Take up a container again."""
        await self.step("open")
        if id not in self.containers:
            raise NotFound(f"open {id}", "nothing knows this container", reason="ContainerUnknown")
        return FakeHandle(self, self.containers[id])

    async def enumerate(self) -> Sequence[SystemSummary]:
        """List the containers."""
        await self.step("enumerate")
        return [
            SystemSummary(
                id=id,
                status=item.status,
                pid=0 if item.ended.done() else item.identity.pid,
                bundle=item.request.bundle,
            )
            for id, item in self.containers.items()
        ]

    async def delete_leftover(self, id: str, bundle: Path) -> None:
        """Remove a container in whatever state."""
        await self.step("delete_leftover")
        container = self.containers.pop(id, None)
        if container is not None:
            container.exit(137)
