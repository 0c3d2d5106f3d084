"""One container of an OCI runtime and conmon: the handle that lifecycle code holds.

Knows by pidfds and exit file what happens to its container and asks the runtime only to change something. Any number of
operations may run at once, except start and delete, which exclude each other. Closing stops nothing.
"""

import asyncio
import json
import logging
import signal
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from runtime.drivers.container_exit import ExitSources, wait_for_exit
from runtime.drivers.container_files import ContainerNotes
from runtime.drivers.container_removal import remove_container
from runtime.drivers.driver import (
    ContainerIdentity,
    ExecRequest,
    ExecResult,
    ExecStreamRequest,
    ExitStatus,
)
from runtime.drivers.driver_settings import DriverServices, OciRuntimeSettings
from runtime.drivers.exec_launch import ExecLauncher
from runtime.drivers.exec_stream import ExecStream, open_stream
from runtime.drivers.exec_sync import run_to_end
from runtime.drivers.failure_causes import not_running
from runtime.drivers.monitor_control import MonitorControl
from runtime.drivers.oci_command import OciCommand
from runtime.drivers.operation_log import logged_operation
from runtime.drivers.process_watch import ProcessWatch
from runtime.errors import (
    DeadlineExceeded,
    FailedPrecondition,
    Internal,
    PodRuntimeError,
    Unimplemented,
)
from runtime.host import cgroups
from runtime.records.resources import LinuxResources
from runtime.spec.resources import limits_document

_log = logging.getLogger(__name__)

_FORCED_END_SECONDS = 20.0
"""From SIGKILL to the end as delete waits for it; beyond that something hangs in the kernel."""


@dataclass(kw_only=True, slots=True)
class OciContainerParts:
    """What a handle is made of; the driver collects them."""

    id: str
    bundle: Path
    identity: ContainerIdentity
    init: ProcessWatch | None
    monitor: ProcessWatch | None
    notes: ContainerNotes
    since: float
    """Reaper mark from before the container existed."""


class OciContainer:
    """A ContainerHandle on an OCI container."""

    def __init__(
        self,
        parts: OciContainerParts,
        services: DriverServices,
        settings: OciRuntimeSettings,
        command: OciCommand,
        start_limit: asyncio.Semaphore,
    ) -> None:
        self._parts = parts
        self._start_limit = start_limit
        self._services = services
        self._settings = settings
        self._command = command
        self._closed = False
        self._deleted = False
        self._made_here = False  # and not started yet
        self._taken_up = True  # from an earlier daemon
        self._changing = asyncio.Lock()
        self._execs = ExecLauncher(parts.id, parts.bundle, services, command)
        self._control = MonitorControl(parts.id, parts.bundle, parts.identity.monitor_pid)
        self._ended: asyncio.Future[ExitStatus] = asyncio.get_running_loop().create_future()
        self._watcher = services.supervisor.spawn(self._watch(), name=f"watch {parts.id[:12]}")

    @property
    def id(self) -> str:
        """The container's id."""
        return self._parts.id

    @property
    def identity(self) -> ContainerIdentity:
        """Its processes."""
        return self._parts.identity

    def mark_made_here(self) -> None:
        """Note that this process created the container, so that it is `created` until `start` is called."""
        self._made_here, self._taken_up = True, False

    async def _watch(self) -> None:
        parts = self._parts
        sources = ExitSources(
            id=parts.id,
            bundle=parts.bundle,
            init=parts.init,
            monitor=parts.monitor,
            exit_files=self._services.exit_files,
            reaper=self._services.reaper,
            oom_kills=self._oom_kills,
            kill=self._kill,
            lost_grace_seconds=self._settings.monitor_lost_grace_seconds,
            log_path=parts.notes.log_path,
            since=parts.since,
        )
        status = await wait_for_exit(sources)
        self._execs.stop()
        if not self._ended.done():
            self._ended.set_result(status)

    def _oom_kills(self) -> int:
        if not self._parts.notes.cgroup:
            return -1
        found = cgroups.read_oom_kills(self._services.cgroups, self._parts.notes.cgroup)
        return -1 if found is None else found

    def _kill(self) -> None:
        if self._parts.init is not None:
            self._parts.init.signal(signal.SIGKILL)
        self._execs.kill_all()
        self._kill_cgroup()

    def _kill_cgroup(self) -> None:
        if self._parts.notes.cgroup:
            cgroups.kill_all(self._services.cgroups, self._parts.notes.cgroup)

    def _check_open(self, operation: str) -> None:
        if self._closed:
            raise FailedPrecondition(
                f"{operation} container {self.id}", "the handle is closed", reason="AlreadyClosed"
            )

    def _check_alive(self, operation: str) -> None:
        self._check_open(operation)
        if self._ended.done() or self._parts.init is None or self._parts.init.has_ended():
            raise not_running(f"{operation} container {self.id}")

    async def start(self) -> None:
        """Start it; see ContainerHandle."""
        self._check_alive("start")
        async with (
            logged_operation("start", self.id, self._settings.slow_call_seconds),
            self._changing,
            self._start_limit,
        ):
            self._made_here = False  # from here on only the runtime knows whether it was started
            try:
                await self._command.call(
                    "start",
                    self.id,
                    subject=f"start container {self.id}",
                    timeout_seconds=self._settings.start_timeout_seconds,
                )
            except PodRuntimeError:
                # A start survives the daemon that was killed meanwhile, and may have come to its end just now.
                if not (self._taken_up and await self._status("start") == "running"):
                    raise

    async def exec(self, request: ExecRequest) -> ExecResult:
        """Run a command; see ContainerHandle."""
        self._check_alive("exec in")
        async with logged_operation("exec in", self.id, self._settings.slow_call_seconds):
            with self._exec_errors():
                return await run_to_end(self._execs, request)

    async def exec_stream(self, request: ExecStreamRequest) -> ExecStream:
        """Start a command with streams; see ContainerHandle."""
        self._check_alive("exec in")
        async with logged_operation("exec in", self.id, self._settings.slow_call_seconds):
            with self._exec_errors():
                temporary = self._settings.temporary_directory
                return await open_stream(self._execs, request, temporary)

    @contextmanager
    def _exec_errors(self) -> Iterator[None]:
        try:
            yield
        except PodRuntimeError as error:
            # crun: "the container `ID` is not running"; runc: "cannot exec in a stopped container".
            # One whose container ends while it works says anything, or nothing.
            ended = self._parts.init is None or self._parts.init.has_ended()
            known = "is not running" in str(error) or "stopped container" in str(error)
            if known or (ended and isinstance(error, Internal)):
                raise not_running(f"exec in container {self.id}") from error
            raise

    async def attach(self) -> socket.socket:
        """Connect to its streams; see ContainerHandle."""
        self._check_alive("attach to")
        return self._control.attach()

    async def wait(self) -> ExitStatus:
        """Wait for the end, without limit; see ContainerHandle."""
        self._check_open("wait for")
        try:
            return await asyncio.shield(self._ended)
        except asyncio.CancelledError:
            if self._ended.cancelled():
                self._check_open("wait for")
            raise

    async def wait_with_timeout(self, seconds: float) -> ExitStatus:
        """Wait for the end, at most `seconds`; see ContainerHandle."""
        try:
            async with asyncio.timeout(seconds):  # the caller's limit
                return await self.wait()
        except TimeoutError as error:
            raise DeadlineExceeded(
                f"wait for container {self.id}",
                f"it did not end in {seconds:g} s",
                reason="WaitTimeout",
            ) from error

    async def signal(self, number: int) -> bool:
        """Send a signal by pidfd; see ContainerHandle."""
        self._check_open("signal")
        return self._parts.init is not None and self._parts.init.signal(number)

    async def shutdown(self, signal: int) -> None:
        """Ask it to end; see ContainerHandle."""
        await self.signal(signal)

    async def terminate(self) -> None:
        """Kill everything in it; see ContainerHandle."""
        self._check_open("terminate")
        if self._parts.init is not None:
            self._parts.init.signal(signal.SIGKILL)
        self._execs.kill_all()
        await asyncio.to_thread(self._kill_cgroup)

    async def pause(self) -> None:
        """Freeze it; see ContainerHandle."""
        self._check_alive("pause")
        await self._change("pause", self.id)

    async def resume(self) -> None:
        """Thaw it; see ContainerHandle."""
        self._check_alive("resume")
        await self._change("resume", self.id)

    async def update(self, resources: LinuxResources) -> None:
        """Apply limits; see ContainerHandle."""
        self._check_alive("update")
        document = limits_document(resources)
        if document:
            text = json.dumps(document)
            _log.debug("update of %s: %s", self.id, text)
            await self._change("update", "--resources=-", self.id, stdin=text)

    async def _change(self, verb: str, *arguments: str, stdin: str = "") -> None:
        async with logged_operation(verb, self.id, self._settings.slow_call_seconds):
            await self._command.call(
                verb, *arguments, subject=f"{verb} container {self.id}", stdin=stdin.encode()
            )

    async def statistics(self) -> Mapping[str, int]:
        """Read the cgroup's counters; see ContainerHandle."""
        self._check_alive("statistics of")
        now = time.time_ns()
        cgroup = self._parts.notes.cgroup
        usage = (
            await asyncio.to_thread(cgroups.read_usage, self._services.cgroups, cgroup)
            if cgroup
            else None
        )
        if usage is None:
            raise not_running(f"statistics of container {self.id}")
        return {
            "timestamp_ns": now,
            "cpu_ns": usage.cpu.usage_core_ns,
            "memory_bytes": usage.memory.usage_bytes,
            "pids": usage.pids_current,
        }

    async def processes(self) -> tuple[int, ...]:
        """List the pids in its cgroup; see ContainerHandle."""
        self._check_open("processes of")
        if not self._parts.notes.cgroup:
            return ()
        found = await asyncio.to_thread(
            cgroups.list_processes, self._services.cgroups, self._parts.notes.cgroup
        )
        return tuple(sorted(found))

    async def checkpoint(self, location: Path) -> None:
        """Refuse: criu is not driven by this driver."""
        self._check_open("checkpoint")
        raise Unimplemented(f"checkpoint container {self.id}", "this driver makes no checkpoints")

    async def modify(self, document: Mapping[str, object]) -> None:
        """Refuse: OCI runtimes have `update` alone."""
        self._check_open("modify")
        raise Unimplemented(
            f"modify container {self.id}",
            "an OCI runtime takes no request documents",
            remedy="use update",
        )

    async def reopen_log(self) -> None:
        """Reopen the log; see ContainerHandle."""
        self._check_alive("reopen log of")
        if self._parts.notes.log_path:
            await self._control.reopen_log(Path(self._parts.notes.log_path))

    async def resize_terminal(self, width: int, height: int) -> None:
        """Set its terminal's size; see ContainerHandle."""
        self._check_alive("resize terminal of")
        await self._control.resize(width, height)

    async def delete(self) -> None:
        """Remove a stopped or created container; see ContainerHandle."""
        self._check_open("delete")
        async with (
            logged_operation("delete", self.id, self._settings.slow_call_seconds),
            self._changing,
        ):
            if not self._deleted:
                await self._end_created()
                await remove_container(
                    self._command,
                    self._services.exit_files,
                    self.id,
                    self._parts.bundle,
                    self._parts.monitor,
                )
                self._deleted = True

    async def _end_created(self) -> None:
        """Kill a container that was never started: `delete --force` takes 110 ms with runc, this takes 3."""
        if self._ended.done():
            return
        status = await self._status("delete")
        if status in ("running", "paused"):
            raise FailedPrecondition(
                f"delete container {self.id}",
                f"it is {status}",
                remedy="stop it first",
                reason="StillRunning",
            )
        self._kill()
        await self.wait_with_timeout(_FORCED_END_SECONDS)

    async def _status(self, operation: str) -> str:
        if self._parts.init is None or self._parts.init.has_ended():
            return "stopped"
        if self._made_here:
            return "created"
        states = await self._command.states(subject=f"{operation} container {self.id}")
        return next((state.status for state in states if state.id == self.id), "stopped")

    async def close(self) -> None:
        """Free the handle; see ContainerHandle."""
        if self._closed:
            return
        self._closed = True
        self._watcher.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.wait({self._watcher})
        for watch in (self._parts.init, self._parts.monitor):
            if watch is not None:
                watch.close()
        self._ended.cancel()
