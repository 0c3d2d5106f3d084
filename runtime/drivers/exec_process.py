"""Run a further process in a container: `RUNTIME exec --detach`, with the daemon as its parent.

The runtime ends as soon as the process runs; the process becomes ours because the daemon is a child subreaper, so its
end, its exact exit code and a time limit need no helper. That takes 6 to 7 ms with crun where an exec monitor takes 11,
and leaves nothing in memory while the process runs. A failure of the runtime cannot be mistaken for one of the command:
the runtime's own exit code tells the one, the reaper the other.
"""

import asyncio
import itertools
import json
import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from runtime.drivers.driver import ExecRequest, ExecResult
from runtime.drivers.driver_settings import DriverServices
from runtime.drivers.failure_causes import runtime_failure
from runtime.drivers.oci_command import OciCommand
from runtime.drivers.output_capture import OutputCapture, wait_ended
from runtime.drivers.process_watch import descendants_of
from runtime.drivers.program import RunningProgram, exit_code_of
from runtime.errors import DeadlineExceeded, Internal
from runtime.formats.runtime_log import first_error

_KILLED_SECONDS = 2.0
"""From SIGKILL to the reaped process; a process in state D does not end."""

_numbers = itertools.count(1)


@dataclass(slots=True)
class ExecFiles:
    """Small files of one exec in the bundle (tmpfs)."""

    bundle: Path
    number: int = field(default_factory=lambda: next(_numbers))

    def path(self, kind: str) -> Path:
        """Return the file of one kind."""
        return self.bundle / f"exec-{self.number}.{kind}"

    def remove(self) -> None:
        """Remove them all."""
        for kind in ("json", "pid", "log"):
            self.path(kind).unlink(missing_ok=True)


def exec_process(
    process: Mapping[str, object], command: tuple[str, ...], *, terminal: bool = False
) -> dict[str, object]:
    """Return the container's process document with another command: same user, capabilities, limits and environment.

    TERM goes when the container has a terminal and this process has none.
    """
    changed = {**process, "args": list(command), "terminal": terminal}
    changed.pop("consoleSize", None)
    environment = process.get("env")
    if process.get("terminal") and not terminal and isinstance(environment, list):
        changed["env"] = [entry for entry in environment if not str(entry).startswith("TERM=")]
    return changed


class ExecRunner:
    """Runs processes in one container and knows which of them still run."""

    def __init__(
        self, id: str, bundle: Path, services: DriverServices, command: OciCommand
    ) -> None:
        self._id = id
        self._bundle = bundle
        self._services = services
        self._command = command
        self._running: dict[int, asyncio.Future[int]] = {}

    def running(self) -> tuple[int, ...]:
        """Return the pids of processes that were started and not yet reaped."""
        return tuple(sorted(self._running))

    def kill_all(self) -> None:
        """SIGKILL every running one, with its children: they must not outlive the container.

        On the event loop's thread only: elsewhere the reaper could free a number just before it is signalled.
        """
        for pid, ended in self._running.items():
            if not ended.done():
                kill_tree(pid)

    async def run(self, request: ExecRequest) -> ExecResult:
        """Run a command to its end.

        Raises:
            DeadlineExceeded: the time limit passed; process, group and children were killed and the process reaped.
            InvalidArgument: the command cannot be run.
        """
        files = ExecFiles(self._bundle)
        limit = request.timeout_seconds
        captures: tuple[OutputCapture, ...] = ()
        pid = 0
        ended: asyncio.Future[int] | None = None
        try:
            try:
                async with asyncio.timeout(limit):  # the request's own limit
                    mark = self._services.reaper.mark()
                    program, captures = await self._launch(request, files)
                    pid = await self._started(program, files)
                    ended = self._expect(pid, mark)
                    status = await asyncio.shield(ended)
            except TimeoutError as error:
                raise await self._timed_out(request, pid, ended) from error
            await wait_ended(captures, request.drain_seconds)
            stdout, stderr = (capture.output() for capture in captures)
            return ExecResult(exit_code=exit_code_of(status), stdout=stdout, stderr=stderr)
        finally:
            if ended is not None and not ended.done():
                kill_tree(pid)
            for capture in captures:
                capture.close()
            files.remove()

    def _expect(self, pid: int, mark: float) -> "asyncio.Future[int]":
        ended = self._services.reaper.expect(pid, since=mark)
        self._running[pid] = ended
        ended.add_done_callback(lambda _: self._running.pop(pid, None))
        return ended

    async def _launch(
        self, request: ExecRequest, files: ExecFiles
    ) -> tuple[RunningProgram, tuple[OutputCapture, OutputCapture]]:
        subject = f"exec in {self._id}"
        document = exec_process(self._process_document(subject), request.command)
        files.path("json").write_bytes(json.dumps(document).encode())
        out_read, out_write = os.pipe2(os.O_CLOEXEC)
        err_read, err_write = os.pipe2(os.O_CLOEXEC)
        captures = (
            OutputCapture(out_read, request.output_limit_bytes),
            OutputCapture(err_read, request.output_limit_bytes),
        )
        try:
            program = await self._services.programs.launch(
                (
                    self._command.program(subject),
                    *self._command.global_arguments(),
                    f"--log={files.path('log')}",
                    "exec",
                    "--detach",
                    f"--pid-file={files.path('pid')}",
                    f"--process={files.path('json')}",
                    self._id,
                ),
                subject=subject,
                cwd=self._bundle,
                stdout=out_write,
                stderr=err_write,
            )
        except BaseException:
            for capture in captures:
                capture.close()
            raise
        finally:
            os.close(out_write)
            os.close(err_write)
        return program, captures

    async def _started(self, program: RunningProgram, files: ExecFiles) -> int:
        """Wait until the runtime has started the process and return its pid."""
        try:
            exit_code = await program.wait()
        except BaseException:
            # It may have started the process already: nobody else will ever know its pid.
            program.kill()
            pid = _read_pid(files.path("pid"))
            if pid:
                kill_tree(pid)
            raise
        if exit_code != 0:
            raise runtime_failure(
                f"exec in {self._id}",
                first_error(_read_text(files.path("log"))),
                program=self._command.name,
                exit_code=exit_code,
            )
        pid = _read_pid(files.path("pid"))
        if not pid:
            raise Internal(
                f"exec in {self._id}",
                f"{self._command.name} wrote no pid file",
                program=self._command.name,
            )
        return pid

    async def _timed_out(
        self, request: ExecRequest, pid: int, ended: "asyncio.Future[int] | None"
    ) -> DeadlineExceeded:
        details: tuple[str, ...] = ()
        if ended is not None:
            kill_tree(pid)
            # Answer only when the process is gone: the kubelet looks, and a zombie keeps the container from ending.
            await asyncio.wait({ended}, timeout=_KILLED_SECONDS)
            if not ended.done():
                details = (f"process {pid} did not end after SIGKILL",)
        return DeadlineExceeded(
            f"exec in {self._id}",
            f"command {request.command[0]} timed out after {request.timeout_seconds:g} s",
            reason="ExecTimeout",
            details=details,
        )

    def _process_document(self, subject: str) -> Mapping[str, object]:
        try:
            document: object = json.loads((self._bundle / "config.json").read_bytes())
        except (OSError, ValueError) as error:
            cause = f"its config.json cannot be read: {error}"
            raise Internal(subject, cause, reason="BundleDamaged") from error
        process = document.get("process") if isinstance(document, dict) else None
        if not isinstance(process, dict):
            raise Internal(subject, "its config.json has no process", reason="BundleDamaged")
        return process


def kill_tree(pid: int) -> None:
    """SIGKILL a child of ours that was not reaped yet, its descendants and its process group."""
    # Children first: a grandchild that called setsid is in no group of ours and is lost once its parent is gone.
    for child in descendants_of(pid):
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    with suppress(ProcessLookupError):
        group = os.getpgid(pid)
        # crun 1.8.1 leaves the process in crun's own group, which is no leader's number but safe: not ours, not init's.
        if group > 1 and group != os.getpgrp():
            os.killpg(group, signal.SIGKILL)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _read_pid(path: Path) -> int:
    text = _read_text(path).strip()
    return int(text) if text.isdigit() else 0


def _read_text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
