"""The Protocol of a container driver: what runs containers on a platform.

OCI runtime + conmon implement it on Linux; a Windows driver over the Host Compute Service can join without a change in
lifecycle code. One contract suite (`e2e/contracts/driver_contract.py`) runs against every driver and against the fake.

Promises that hold for each driver:
- create does not start; a failed create leaves nothing behind.
- Every operation has a time limit of its own, a begin and an end line in the log, and a watchdog that names a call that
  takes very long while it still runs. Starts are throttled by one limit.
- close frees the handle, never stops the container, and is idempotent; any other call after it fails with
  FailedPrecondition `AlreadyClosed`.
- Errors carry operation, id, the document that was sent (in the log at debug level) and the program's own events.
An operation that a driver cannot do raises Unimplemented and changes nothing.
"""

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from runtime.records.resources import LinuxResources


@dataclass(frozen=True, kw_only=True, slots=True)
class DriverFeatures:
    """What a handler's runtime can do: as it says itself at start, or as found by trying it once."""

    version: str
    recursive_read_only_mounts: bool
    user_namespaces: bool
    """User namespaces with id-mapped mounts."""
    mount_options: bool
    """noexec, nodev and nosuid on CRI mounts."""
    untried: bool = False
    """Whether the runtime cannot be asked, so that `try_features` has to find the rest out."""
    usable: bool = True
    reason: str = ""
    """Why it is not usable, with the remedy; empty when it is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CreateRequest:
    """Everything a driver needs to create a container."""

    id: str
    name: str
    bundle: Path
    """Existing directory of ours on tmpfs; the driver writes config.json and its own files there."""
    spec: Mapping[str, object]
    """OCI runtime spec."""
    log_path: str = ""
    """Absolute path of the CRI log; empty for none. Its directory exists and was opened safely by the caller."""
    log_directory_fd: int | None = None
    """The log's directory as the caller opened it; given to the monitor, so that a link put in its place later is not
    followed (security rule F1). Stays the caller's, who closes it after create. None: the path alone is used."""
    terminal: bool = False
    stdin: bool = False
    stdin_once: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class ContainerIdentity:
    """Processes of a created container; start times tell them from recycled pids (clock ticks since boot)."""

    pid: int
    pid_start_time: int
    monitor_pid: int = 0
    monitor_start_time: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class ExitStatus:
    """How a container's first process ended."""

    exit_code: int
    """0-255; 128 + signal number when a signal killed it; 255 when nobody can tell."""
    finished_at_ns: int
    oom_killed: bool = False
    monitor_lost: bool = False
    """True when the monitor died first, so that code and log may be incomplete."""
    message: str = ""
    """What the runtime said when the program could not be executed at all (bad interpreter, wrong architecture)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ExecRequest:
    """A further process in a running container, without terminal."""

    command: tuple[str, ...]
    timeout_seconds: float | None
    """None waits for ever."""
    output_limit_bytes: int = 16 * 1024 * 1024
    """Per stream; the rest is read and dropped."""
    drain_seconds: float = 0.5
    """How long to wait for end of output after the process ended, for children that keep it open."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ExecResult:
    """Outcome of an exec that ran to its end."""

    exit_code: int
    stdout: bytes
    stderr: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class ExecStreamRequest:
    """A further process in a running container whose streams the caller holds."""

    command: tuple[str, ...]
    terminal: bool = False
    stdin: bool = False
    """Without it the process reads /dev/null; a terminal always has input."""
    width: int = 0
    height: int = 0
    """First size of the terminal; 0 leaves it to the runtime."""


class ExecSession(Protocol):
    """A running process with its streams, as non-blocking descriptors that the session owns."""

    @property
    def pid(self) -> int:
        """Its number on the host."""

    @property
    def stdin(self) -> int | None:
        """Write here what the process reads; None without input, and after close_stdin. The terminal's master."""

    @property
    def stdout(self) -> int:
        """Read here what it writes; with a terminal its master, where a read fails with EIO at the end."""

    @property
    def stderr(self) -> int | None:
        """Read here; None with a terminal."""

    async def wait(self) -> int:
        """Return the exit code once the process has ended; may be called again."""

    def resize(self, width: int, height: int) -> None:
        """Set the terminal's size; nothing without a terminal."""

    def close_stdin(self) -> None:
        """Give the process end of input; nothing with a terminal."""

    def kill(self) -> None:
        """SIGKILL the process with its children."""

    def close(self) -> None:
        """Close the descriptors, leaving the process alone; idempotent."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SystemSummary:
    """One container that the driver's runtime knows, for recovery."""

    id: str
    status: str
    """`creating`, `created`, `running`, `stopped`, `paused`."""
    pid: int
    bundle: Path


class ContainerHandle(Protocol):
    """One created container."""

    @property
    def id(self) -> str:
        """The container's id."""

    @property
    def identity(self) -> ContainerIdentity:
        """Its processes."""

    async def start(self) -> None:
        """Start the created container. A failure names the missing program or bad entrypoint."""

    async def exec(self, request: ExecRequest) -> ExecResult:
        """Run a command to its end.

        Raises:
            DeadlineExceeded: the time limit passed; the process group was killed and reaped.
            FailedPrecondition: the container is not running.
            InvalidArgument: the command cannot be run (no such program).
        """

    async def exec_stream(self, request: ExecStreamRequest) -> ExecSession:
        """Start a command and hand out its streams. Losing the session leaves the process alone.

        Raises:
            DeadlineExceeded, FailedPrecondition, InvalidArgument: as exec, for the start alone.
        """

    async def attach(self) -> socket.socket:
        """Connect to the container's own streams: a packet socket whose packets formats.monitor_messages describes.

        Output is not replayed. Who attaches must always read: a monitor waits for its slowest client.

        Raises:
            FailedPrecondition: the container or its monitor is gone.
        """

    async def resize_terminal(self, width: int, height: int) -> None:
        """Set the size of the container's own terminal.

        Raises:
            FailedPrecondition: the container or its monitor is gone.
        """

    async def wait(self) -> ExitStatus:
        """Wait until the container has ended; may be called any number of times, also after the end."""

    async def wait_with_timeout(self, seconds: float) -> ExitStatus:
        """As wait, but raise DeadlineExceeded after `seconds`."""

    async def signal(self, number: int) -> bool:
        """Send a signal to the first process; False when it is gone."""

    async def shutdown(self, signal: int) -> None:
        """Ask the container to end; returns at once."""

    async def terminate(self) -> None:
        """Kill the container and all that is left in its cgroup; returns at once; success when already stopped."""

    async def pause(self) -> None:
        """Freeze all its processes."""

    async def resume(self) -> None:
        """Thaw them."""

    async def update(self, resources: LinuxResources) -> None:
        """Apply resource limits to the live container."""

    async def statistics(self) -> Mapping[str, int]:
        """Counters of the platform's own (`cpu_ns`, `memory_bytes`, `pids`), with `timestamp_ns`."""

    async def processes(self) -> tuple[int, ...]:
        """Process ids on the host of everything in the container."""

    async def checkpoint(self, location: Path) -> None:
        """Write the container's state to `location`."""

    async def modify(self, document: Mapping[str, object]) -> None:
        """Change properties by a request document of the platform."""

    async def reopen_log(self) -> None:
        """Reopen the log; the new file exists when this returns."""

    async def delete(self) -> None:
        """Remove a stopped (or force-stop a created) container with its monitor's files; idempotent."""

    async def close(self) -> None:
        """Free the handle; idempotent."""


class ContainerDriver(Protocol):
    """Creates, opens and enumerates containers of one handler."""

    @property
    def name(self) -> str:
        """The handler's name."""

    async def probe(self) -> DriverFeatures:
        """Find out what the handler's programs can do; never raises for a bad program, says so in the answer."""

    async def try_features(self, memory: Path) -> DriverFeatures:
        """Find out by trying what `probe` could not; takes a second at most, and nothing when `memory` knows it.

        `memory` is a file in a directory that survives a reboot; what was found is kept there.
        """

    async def create(self, request: CreateRequest) -> ContainerHandle:
        """Create a container.

        Raises:
            DeadlineExceeded, Unavailable, InvalidArgument, Internal: nothing is left behind.
        """

    async def open(self, id: str, bundle: Path, identity: ContainerIdentity) -> ContainerHandle:
        """Take up a container that was created before the daemon restarted. Its processes may be gone: wait answers.

        Raises:
            NotFound: neither the runtime, nor an exit record, nor a process knows it.
        """

    async def enumerate(self) -> Sequence[SystemSummary]:
        """List what the runtime knows below this instance's own root directory."""

    async def delete_leftover(self, id: str, bundle: Path) -> None:
        """Remove whatever a half-made container of this id left: runtime state, processes, monitor, cgroup."""
