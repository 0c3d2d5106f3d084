"""Start programs: the only place in the daemon that does.

One door, so that the one reaper sees every child and each gets the same hygiene: a session of its own, SIGPIPE and
SIGXFSZ at their defaults, no descriptor but the named ones, a small environment that is built and never inherited.
subprocess.Popen without preexec_fn uses vfork (CPython 3.10+), so a large daemon copies no page tables. Its Popen.wait
is never called: `returncode` is set by hand, which keeps subprocess quiet.

`run` waits for the end under a deadline and keeps capped output; `launch` gives a handle for a program that lives long.
"""

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from runtime.drivers.output_capture import OutputCapture, wait_ended
from runtime.drivers.reaper import Reaper
from runtime.errors import PodRuntimeError, Unavailable

DEFAULT_OUTPUT_LIMIT = 1024 * 1024
"""Enough for any JSON answer of a runtime or CNI plugin; a program gone wild is cut here."""
DRAIN_SECONDS = 0.5
"""How long a pipe may stay open after its program ended (a background child holds it)."""
TERM_GRACE_SECONDS = 1.0
"""Between SIGTERM and SIGKILL at a deadline: runc and CNI plugins undo half-made things on SIGTERM."""
_UMASK = 0o022
"""The daemon's own is 077 (security rule H2), but runc gives what it inherits to each exec: files there must be usual."""
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
MINIMAL_ENVIRONMENT: Mapping[str, str] = {"PATH": SEARCH_PATH, "LC_ALL": "C", "TZ": "UTC"}


@dataclass(frozen=True, kw_only=True, slots=True)
class ProgramResult:
    """How a program ended and what it said."""

    exit_code: int
    """As its exit status; 128 + signal number when a signal ended it."""
    stdout: bytes
    stderr: bytes
    timed_out: bool = False

    def last_words(self, lines: int = 5) -> tuple[str, ...]:
        """Return the last non-empty lines of stderr, for error details."""
        text = self.stderr.decode(errors="replace")
        return tuple([line for line in text.splitlines() if line.strip()][-lines:])


class Spawner(Protocol):
    """Somewhere to call a blocking function that starts a process, for example in another cgroup's thread."""

    async def spawn(self, start: Callable[[], subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
        """Call `start` there and return what it returned."""


class Programs(Protocol):
    """What users of programs need of `ProgramRunner`; fakes implement it too."""

    async def run(
        self,
        argv: Sequence[str],
        *,
        timeout_seconds: float,
        subject: str,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        output_limit: int = DEFAULT_OUTPUT_LIMIT,
        pass_fds: Sequence[int] = (),
    ) -> ProgramResult:
        """Run a program to its end; see ProgramRunner.run."""


def exit_code_of(status: int) -> int:
    """Turn a wait status into 0-255, with 128 + number for a signal as shells do."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


class RunningProgram:
    """A started program. It leads a session and process group of its own."""

    def __init__(self, process: subprocess.Popen[bytes], ended: asyncio.Future[int]) -> None:
        self.pid = process.pid
        self._process = process
        self._ended = ended
        ended.add_done_callback(self._note_end)

    def _note_end(self, ended: asyncio.Future[int]) -> None:
        # Without a returncode, ~Popen would call waitpid for a child that the reaper has already collected.
        self._process.returncode = -1 if ended.cancelled() else exit_code_of(ended.result())

    @property
    def has_ended(self) -> bool:
        """Whether the program was reaped."""
        return self._ended.done()

    async def wait(self) -> int:
        """Wait for the end and return the exit code; may be called again and by several tasks."""
        return exit_code_of(await asyncio.shield(self._ended))

    async def wait_at_most(self, seconds: float) -> bool:
        """Wait for the end, in a cancelled task too; False when it has not come by then."""
        await asyncio.wait({self._ended}, timeout=seconds)
        return self._ended.done()

    def kill(self, number: int = signal.SIGKILL) -> bool:
        """Signal the program's whole process group; False when the program has already been reaped."""
        if self._ended.done():
            return False  # the group's number may belong to someone else by now
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            return False
        return True


class ProgramRunner:
    """Starts programs and sees them end, through the reaper."""

    def __init__(self, reaper: Reaper) -> None:
        self._reaper = reaper

    async def run(
        self,
        argv: Sequence[str],
        *,
        timeout_seconds: float,
        subject: str,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        output_limit: int = DEFAULT_OUTPUT_LIMIT,
        pass_fds: Sequence[int] = (),
    ) -> ProgramResult:
        """Run a program to its end. At the deadline its group gets SIGTERM, then SIGKILL, and the result says so.

        `subject` names the work in errors (`delete container 12ab`). A cancelled call kills the group at once.

        Raises:
            Unavailable: the program is not installed or cannot be executed.
        """
        with _StandardStreams(stdin) as streams:
            program = await self.launch(
                argv,
                subject=subject,
                env=env,
                cwd=cwd,
                pass_fds=pass_fds,
                stdin=streams.stdin,
                stdout=streams.stdout[1],
                stderr=streams.stderr[1],
            )
            captures = streams.capture(output_limit)
            return await self._finish(program, captures, timeout_seconds)

    async def _finish(
        self,
        program: RunningProgram,
        captures: tuple[OutputCapture, OutputCapture],
        timeout_seconds: float,
    ) -> ProgramResult:
        timed_out = False
        try:
            try:
                async with asyncio.timeout(timeout_seconds):  # the caller's limit for this program
                    exit_code = await program.wait()
            except TimeoutError:
                timed_out = True
                exit_code = await end_group(program)
        finally:
            program.kill()  # nothing when it has ended; else we were cancelled and nobody waits for it
            await wait_ended(captures, DRAIN_SECONDS if program.has_ended else 0.0)
        return ProgramResult(
            exit_code=exit_code,
            stdout=captures[0].output(),
            stderr=captures[1].output(),
            timed_out=timed_out,
        )

    async def launch(
        self,
        argv: Sequence[str],
        *,
        subject: str,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        pass_fds: Sequence[int] = (),
        stdin: int = subprocess.DEVNULL,
        stdout: int = subprocess.DEVNULL,
        stderr: int = subprocess.DEVNULL,
        spawner: Spawner | None = None,
    ) -> RunningProgram:
        """Start a program and return while it runs. Descriptors stay the caller's, who closes them.

        Raises:
            Unavailable: the program is not installed or cannot be executed.
        """
        environment = MINIMAL_ENVIRONMENT if env is None else env

        def start() -> subprocess.Popen[bytes]:
            """Start it; runs in the thread whose cgroups the child inherits."""
            return subprocess.Popen(
                argv,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                env=environment,
                cwd=cwd,
                pass_fds=pass_fds,
                start_new_session=True,
                umask=_UMASK,
            )

        mark = self._reaper.mark()
        try:
            process = start() if spawner is None else await spawner.spawn(start)
        except (OSError, ValueError) as error:
            raise _cannot_start(argv[0], cwd, subject, error) from error
        return RunningProgram(process, self._reaper.expect(process.pid, since=mark))


async def end_group(program: RunningProgram, grace_seconds: float = TERM_GRACE_SECONDS) -> int:
    """End a program with SIGTERM and, after the grace, SIGKILL; return its exit code (-1: it would not die)."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        program.kill(number)
        try:
            async with asyncio.timeout(
                grace_seconds
            ):  # SIGKILL too: a process in D state does not end
                return await program.wait()
        except TimeoutError:
            continue
    return -1


class _StandardStreams:
    """Descriptors for one run: a memory file with the input, two pipes for the output."""

    def __init__(self, stdin: bytes) -> None:
        self._owned: list[int] = []
        self.stdin = self._input(stdin)
        self.stdout = self._pipe()
        self.stderr = self._pipe()

    def _input(self, content: bytes) -> int:
        if not content:
            return subprocess.DEVNULL
        # A memory file needs no writer on the loop, and a program that never reads it costs nothing.
        descriptor = os.memfd_create("stdin", os.MFD_CLOEXEC)
        self._owned.append(descriptor)
        with open(descriptor, "wb", closefd=False) as file:
            file.write(content)
        os.lseek(descriptor, 0, os.SEEK_SET)
        return descriptor

    def _pipe(self) -> tuple[int, int]:
        ends = os.pipe2(os.O_CLOEXEC)
        self._owned.extend(ends)
        return ends

    def capture(self, limit: int) -> tuple[OutputCapture, OutputCapture]:
        """Close our writing ends, so that the end can be seen, and read the others."""
        for write in (self.stdout[1], self.stderr[1]):
            os.close(write)
            self._owned.remove(write)
        for read in (self.stdout[0], self.stderr[0]):
            self._owned.remove(read)
        return OutputCapture(self.stdout[0], limit), OutputCapture(self.stderr[0], limit)

    def __enter__(self) -> "_StandardStreams":
        return self

    def __exit__(self, *_: object) -> None:
        for descriptor in self._owned:
            os.close(descriptor)
        self._owned.clear()


def _cannot_start(
    program: str, cwd: Path | None, subject: str, error: OSError | ValueError
) -> PodRuntimeError:
    if isinstance(error, ValueError):
        return Unavailable(subject, f"an argument of {program} has a NUL byte", program=program)
    # Popen sets filename to the working directory when chdir failed in the child.
    if cwd is not None and error.filename is not None and str(error.filename) == str(cwd):
        cause = f"its working directory {cwd} cannot be entered: {error.strerror}"
        return Unavailable(subject, f"{program}: {cause}", program=program)
    if isinstance(error, FileNotFoundError):
        return Unavailable(
            subject,
            f"{program} is not installed on system",
            remedy=f"install {Path(program).name} or name its path in the configuration",
            reason="ProgramMissing",
            program=program,
        )
    return Unavailable(
        subject,
        f"{program} cannot be executed: {error.strerror or error}",
        remedy=f"check file type and permissions of {program}",
        reason="ProgramUnusable",
        program=program,
    )
