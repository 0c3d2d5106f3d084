"""Start a further process in a container: `RUNTIME exec --detach`, with the daemon as its parent.

The runtime ends as soon as the process runs; the process becomes ours because the daemon is a child subreaper, so its
end, its exact exit code and a time limit need no helper. That takes 6 to 7 ms with crun where an exec monitor takes 11,
and leaves nothing in memory while the process runs. A failure of the runtime cannot be mistaken for one of the command:
the runtime's own exit code tells the one, the reaper the other.

Keeps account of all processes that it started in its container until they are reaped: a zombie of ours in the
container's PID namespace keeps the container from ending.
"""

import asyncio
import json
import os
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from runtime.drivers.driver_settings import DriverServices
from runtime.drivers.exec_records import FINISH_SECONDS, ExecFiles
from runtime.drivers.failure_causes import runtime_failure
from runtime.drivers.oci_command import OciCommand
from runtime.drivers.process_watch import descendants_of
from runtime.drivers.program import RunningProgram, exit_code_of
from runtime.errors import Internal
from runtime.formats.runtime_log import first_error
from runtime.spec.document import JsonValue, Spec, is_object
from runtime.spec.exec_process import exec_process

_KILLED_SECONDS = 2.0
"""From SIGKILL to the reaped process: 1 ms; a process in state D does not end."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ExecCommand:
    """What to run, and with which descriptors."""

    words: tuple[str, ...]
    stdin: int = subprocess.DEVNULL
    stdout: int = subprocess.DEVNULL
    stderr: int = subprocess.DEVNULL
    console_socket: Path | None = None
    """Where the runtime sends the terminal's master; None for a process without terminal."""
    size: tuple[int, int] | None = None
    """Width and height of the terminal."""
    ends_with_daemon: bool = False
    """Whether it must not outlive the daemon: what is still running then is killed by the next one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StartedExec:
    """A process that runs, or has run."""

    pid: int
    ended: asyncio.Future[int]
    """Its wait status."""

    def kill(self) -> None:
        """SIGKILL it with its children, unless it was reaped already."""
        if not self.ended.done():
            kill_tree(self.pid)

    async def wait(self) -> int:
        """Return the exit code; may be called again."""
        return exit_code_of(await asyncio.shield(self.ended))


class ExecLauncher:
    """Starts processes in one container and knows which of them still run."""

    def __init__(
        self, id: str, bundle: Path, services: DriverServices, command: OciCommand
    ) -> None:
        self._id = id
        self._bundle = bundle
        self._services = services
        self._command = command
        self._running: dict[int, StartedExec] = {}
        self._process: Spec | None = None
        self._stopped = False

    @property
    def subject(self) -> str:
        """How errors name the work."""
        return f"exec in {self._id}"

    def running(self) -> tuple[int, ...]:
        """Return the pids of processes that were started and not yet reaped."""
        return tuple(sorted(self._running))

    def kill_all(self) -> None:
        """SIGKILL every running one: they must not outlive the container.

        On the event loop's thread only: elsewhere the reaper could free a number just before it is signalled.
        """
        for started in tuple(self._running.values()):
            started.kill()

    def stop(self) -> None:
        """The container has ended: kill every running process, and each that a pending launch still starts."""
        self._stopped = True
        self.kill_all()

    async def launch(self, command: ExecCommand) -> StartedExec:
        """Start a process and return once it runs. A cancelled call leaves nothing that runs.

        Raises:
            InvalidArgument: the command cannot be run.
            PodRuntimeError: the runtime failed otherwise.
        """
        files = ExecFiles(self._bundle)
        try:
            document = self._document(command)
            files.path("json").write_bytes(json.dumps(document).encode())
            mark = self._services.reaper.mark()
            program = await self._services.programs.launch(
                self._arguments(command, files),
                subject=self.subject,
                cwd=self._bundle,
                stdin=command.stdin,
                stdout=command.stdout,
                stderr=command.stderr,
            )
            try:
                with self._command.timed("exec"):
                    pid = await self._started(program, files, command)
            except asyncio.CancelledError:
                await self._undo(program, files, mark)
                raise
            if command.ends_with_daemon:
                files.keep(pid)
            else:
                files.remove()
            started = self._account(pid, mark)
            started.ended.add_done_callback(lambda _: files.remove())
        except BaseException:
            files.remove()
            raise
        return started

    def _arguments(self, command: ExecCommand, files: ExecFiles) -> list[str]:
        console = command.console_socket
        return [
            self._command.program(self.subject),
            *self._command.global_arguments(),
            f"--log={files.path('log')}",
            "exec",
            "--detach",
            f"--pid-file={files.path('pid')}",
            f"--process={files.path('json')}",
            *(() if console is None else (f"--console-socket={console}",)),
            self._id,
        ]

    async def _started(
        self, program: RunningProgram, files: ExecFiles, command: ExecCommand
    ) -> int:
        """Wait until the runtime has started the process and return its pid."""
        exit_code = await program.wait()
        if exit_code != 0:
            raise runtime_failure(
                self.subject,
                first_error(_read_text(files.path("log"))),
                program=self._command.name,
                exit_code=exit_code,
                entrypoint=command.words[0],
            )
        pid = files.read_pid()
        if not pid:
            raise Internal(
                self.subject,
                f"{self._command.name} wrote no pid file",
                program=self._command.name,
            )
        return pid

    async def _undo(self, program: RunningProgram, files: ExecFiles, mark: float) -> None:
        """Let the runtime of a launch that was given up finish, then kill what it has started.

        Killed midway it would leave a process that nobody knows: from its fork until the pid file is written it is in no
        group of the runtime's, and it runs the command although the runtime is gone.
        """
        try:
            await program.wait_at_most(FINISH_SECONDS)
        finally:
            if not program.has_ended:
                kill_tree(program.pid)
            pid = files.read_pid()
            started = self._account(pid, mark) if pid else None
            if started is not None:
                started.kill()
        if started is not None:
            await asyncio.wait({started.ended}, timeout=_KILLED_SECONDS)

    def _account(self, pid: int, mark: float) -> StartedExec:
        started = StartedExec(pid=pid, ended=self._services.reaper.expect(pid, since=mark))
        self._running[pid] = started
        started.ended.add_done_callback(lambda _: self._running.pop(pid, None))
        if self._stopped:
            started.kill()
        return started

    def _document(self, command: ExecCommand) -> Spec:
        terminal = command.console_socket is not None
        spec = {"process": self._container_process()}
        document = exec_process(spec, command.words, terminal=terminal, size=command.size)
        return document if terminal else _without_term(document, spec["process"])

    def _container_process(self) -> Spec:
        # Kept after the first exec: probes come every few seconds, and a spec with seccomp takes 0.5 ms to parse.
        if self._process is None:
            try:
                spec: JsonValue = json.loads((self._bundle / "config.json").read_bytes())
            except (OSError, ValueError) as error:
                cause = f"its config.json cannot be read: {error}"
                raise Internal(self.subject, cause, reason="BundleDamaged") from error
            process = spec.get("process") if is_object(spec) else None
            if not is_object(process):
                cause = "its config.json has no process"
                raise Internal(self.subject, cause, reason="BundleDamaged")
            self._process = process
        return self._process


def _without_term(document: Spec, container: Spec) -> Spec:
    """Drop TERM where the container has a terminal and this process has none."""
    entries = document.get("env")
    if not container.get("terminal") or not isinstance(entries, list):
        return document
    kept = [entry for entry in entries if not str(entry).startswith("TERM=")]
    return {**document, "env": kept}


def kill_tree(pid: int) -> None:
    """SIGKILL a child of ours that was not reaped yet, its descendants and its process group."""
    # Children first: a grandchild that called setsid is in no group of ours and is lost once its parent is gone.
    for child in descendants_of(pid):
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    with suppress(ProcessLookupError):
        group = os.getpgid(pid)
        # crun 1.8.1 leaves the process in crun's own group; that leads no process any more, but is ours alone.
        if group > 1 and group != os.getpgrp():
            os.killpg(group, signal.SIGKILL)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _read_text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
