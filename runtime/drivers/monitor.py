"""Start conmon, which runs the runtime's create, holds the container, writes its log and its exit file.

The daemon may die at any time afterwards: monitor and container go on. A monitor that does not answer in time is
killed, and takes the runtime with it (conmon forks it with PDEATHSIG). Removes nothing: after a failure the caller
deletes what the runtime may have made.
"""

import asyncio
import os
import signal
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from runtime.drivers.driver import CreateRequest
from runtime.drivers.driver_settings import DriverServices, OciRuntimeSettings
from runtime.drivers.failure_causes import runtime_failure
from runtime.drivers.oci_command import OciCommand, find_program
from runtime.drivers.output_capture import OutputCapture, wait_ended
from runtime.drivers.program import MINIMAL_ENVIRONMENT, RunningProgram
from runtime.errors import DeadlineExceeded, Internal, PodRuntimeError
from runtime.formats.monitor_messages import CreateAnswer, parse_create_answer
from runtime.formats.runtime_log import first_error

RUNTIME_LOG = "runtime.log"
PID_FILE = "pid"
MONITOR_PID_FILE = "monitor.pid"
OOM_FILE = "oom"
CONTROL_FIFO = "ctl"
ATTACH_SOCKET = "attach"
_ANSWER_LIMIT = 64 * 1024
"""conmon answers with at most 8191 bytes of stderr, JSON-escaped to at most six times that."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StartedMonitor:
    """A monitor whose container is created."""

    monitor_pid: int
    container_pid: int


class MonitorStart:
    """Starts monitors for one handler."""

    def __init__(
        self, services: DriverServices, settings: OciRuntimeSettings, command: OciCommand
    ) -> None:
        self._services = services
        self._settings = settings
        self._command = command

    async def create(self, request: CreateRequest) -> StartedMonitor:
        """Start a monitor and wait until the runtime has created the container.

        Raises:
            DeadlineExceeded: no answer in time; monitor and runtime were killed.
            PodRuntimeError: the runtime refused; the first error of its log names the cause.
        """
        subject = f"create container {request.id}"
        with ExitStack() as descriptors:
            sync_read, sync_write = _pipe(descriptors)
            error_read, error_write = _pipe(descriptors)
            start_read, start_write = _pipe(descriptors)
            log_fd = request.log_directory_fd
            program = await self._services.programs.launch(
                self._arguments(request, subject),
                subject=subject,
                env=self._environment(sync_write, start_read),
                cwd=request.bundle,
                pass_fds=(sync_write, start_read, *((log_fd,) if log_fd is not None else ())),
                stderr=error_write,
                spawner=self._services.monitor_cgroup,
            )
            # Our own writing ends must go, else end of file never comes. dup: the stack closes the originals.
            captures = (
                OutputCapture(os.dup(sync_read), _ANSWER_LIMIT),
                OutputCapture(os.dup(error_read), _ANSWER_LIMIT),
            )
            try:
                # conmon waits for this byte before it forks; end of file would count as "go" too.
                self._services.monitor_cgroup.adopt(program.pid)
                os.write(start_write, b"\0")
            except OSError:
                program.kill()
            descriptors.close()
        try:
            return await self._answer(request, program, captures, subject)
        except BaseException:
            self.kill(request.bundle, program)
            raise
        finally:
            for capture in captures:
                capture.close()

    async def _answer(
        self,
        request: CreateRequest,
        program: RunningProgram,
        captures: tuple[OutputCapture, OutputCapture],
        subject: str,
    ) -> StartedMonitor:
        limit = self._settings.create_timeout_seconds
        sync, errors = captures
        try:
            async with asyncio.timeout(limit):  # the runtime may hang in a mount or a hook
                exit_code = await program.wait()
                if exit_code == 0:
                    await sync.wait_line()
        except TimeoutError as error:
            raise DeadlineExceeded(
                subject,
                f"{self._command.name} did not create it in {limit:g} s and was killed",
                reason="CreateTimeout",
                program=self._command.name,
                details=self._log_details(request.bundle),
            ) from error
        if exit_code != 0:
            await wait_ended((errors,), 0.5)
            raise _monitor_failure(subject, exit_code, errors.output())
        try:
            answer = parse_create_answer(sync.output())
        except ValueError as error:
            raise Internal(subject, str(error), program="conmon") from error
        if answer is None or answer.pid == 0:
            raise self._runtime_failure(request, answer, subject)
        monitor_pid = _read_pid(request.bundle / MONITOR_PID_FILE)
        return StartedMonitor(monitor_pid=monitor_pid, container_pid=answer.pid)

    def kill(self, bundle: Path, program: RunningProgram) -> None:
        """Kill a monitor by whichever of its two processes is known; its runtime dies with it."""
        program.kill()
        pid = _read_pid(bundle / MONITOR_PID_FILE)
        if pid:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _runtime_failure(
        self, request: CreateRequest, answer: CreateAnswer | None, subject: str
    ) -> PodRuntimeError:
        said = first_error(_read_text(request.bundle / RUNTIME_LOG))
        if not said and answer is not None:
            said = first_error(answer.message)
        if not said and answer is None:
            said = "container not started: the monitor ended without an answer"
        entrypoint, cwd = _what_and_where(request.spec)
        return runtime_failure(
            subject, said, program=self._command.name, entrypoint=entrypoint, cwd=cwd
        )

    def _log_details(self, bundle: Path) -> tuple[str, ...]:
        said = first_error(_read_text(bundle / RUNTIME_LOG))
        return (f"{self._command.name} said: {said}",) if said else ()

    def _arguments(self, request: CreateRequest, subject: str) -> list[str]:
        bundle = request.bundle
        argv = [
            find_program(self._settings.monitor_program, subject),
            *("-c", request.id, "-u", request.id, "-n", request.name or request.id),
            *("-b", str(bundle), "-r", self._command.program(subject)),
            *("-p", str(bundle / PID_FILE), "-P", str(bundle / MONITOR_PID_FILE)),
            *("--exit-dir", str(self._services.exit_files.directory)),
            *("--persist-dir", str(bundle)),
            *("-l", _log_driver(request), "--log-level", self._settings.monitor_log_level),
            *("--full-attach", "--no-sync-log"),
        ]
        arguments = (*self._command.global_arguments(), f"--log={bundle / RUNTIME_LOG}")
        argv.extend(f"--runtime-arg={argument}" for argument in arguments)
        if self._settings.systemd_cgroup:
            argv.append("-s")
        if request.terminal:
            argv.append("-t")  # input of a terminal needs no pipe, and half-closing it is harmless
        elif request.stdin:
            # Without --leave-stdin-open the first client that goes closes the container's input.
            argv.extend(["-i"] if request.stdin_once else ["-i", "--leave-stdin-open"])
        return argv

    def _environment(self, sync_write: int, start_read: int) -> dict[str, str]:
        return {
            **MINIMAL_ENVIRONMENT,  # with TZ=UTC: conmon writes local time into the log
            "TMPDIR": str(self._settings.temporary_directory),
            "_OCI_SYNCPIPE": str(sync_write),
            "_OCI_STARTPIPE": str(start_read),
        }


def _what_and_where(spec: Mapping[str, object]) -> tuple[str, str]:
    """Return a spec's program and working directory, as far as it has them."""
    process = spec.get("process")
    if not isinstance(process, dict):
        return "", ""
    words = process.get("args")
    first = str(words[0]) if isinstance(words, list) and words else ""
    return first, str(process.get("cwd", ""))


def _log_driver(request: CreateRequest) -> str:
    if not request.log_path:
        return "none"
    if request.log_directory_fd is None:
        return f"k8s-file:{request.log_path}"
    # The directory was opened safely by the caller: a link put in its place later is not followed (rule F1).
    name = Path(request.log_path).name
    return f"k8s-file:/proc/self/fd/{request.log_directory_fd}/{name}"


def _pipe(descriptors: ExitStack) -> tuple[int, int]:
    ends = os.pipe2(os.O_CLOEXEC)
    for end in ends:
        descriptors.callback(os.close, end)
    return ends


def _monitor_failure(subject: str, exit_code: int, errors: bytes) -> PodRuntimeError:
    said = errors.decode(errors="replace").strip().splitlines()
    cause = f"conmon failed: {said[0]}" if said else f"conmon ended with code {exit_code}"
    return Internal(
        subject,
        cause,
        remedy="check that the log directory exists and that conmon is 2.1 or newer",
        reason="MonitorFailed",
        program="conmon",
        exit_code=exit_code,
    )


def _read_pid(path: Path) -> int:
    text = _read_text(path).strip()
    return int(text) if text.isdigit() else 0


def _read_text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
