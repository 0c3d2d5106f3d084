"""Run a command in a container with its streams in somebody's hands: pipes, or a terminal.

The holder gets non-blocking descriptors and may close each at any time. Losing the client leaves the process alone, as
containerd and CRI-O do; the container's end kills it. Closing a session that still runs only lets go of the streams.
"""

import asyncio
import fcntl
import os
import struct
import subprocess
import termios
from contextlib import ExitStack, suppress
from pathlib import Path

from runtime.drivers.console_socket import ConsoleSocket
from runtime.drivers.driver import ExecStreamRequest
from runtime.drivers.exec_launch import ExecCommand, ExecLauncher, StartedExec
from runtime.errors import DeadlineExceeded

START_SECONDS = 60.0
"""From the request to the running process: 7 ms; a frozen or overloaded container may take long."""


class ExecStream:
    """A running process with its streams; implements driver.ExecSession."""

    def __init__(
        self, started: StartedExec, *, stdin: int | None, stdout: int, stderr: int | None
    ) -> None:
        self._started = started
        self.pid = started.pid
        self.stdin = stdin
        self.stdout = stdout
        self.stderr = stderr
        self._terminal = stdout if stderr is None else None
        self._closed = False

    async def wait(self) -> int:
        """Return the exit code once the process has ended; may be called again."""
        return await self._started.wait()

    def resize(self, width: int, height: int) -> None:
        """Set the terminal's size; nothing without a terminal or after its end."""
        if self._terminal is not None:
            with suppress(OSError):
                fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, _window(width, height))

    def close_stdin(self) -> None:
        """Give the process end of input; with a terminal nothing, as its input has no end."""
        if self.stdin is not None and self._terminal is None:
            os.close(self.stdin)
            self.stdin = None

    def kill(self) -> None:
        """SIGKILL the process with its children."""
        self._started.kill()

    def close(self) -> None:
        """Close the descriptors; idempotent. The process goes on."""
        if self._closed:
            return
        self._closed = True
        self._terminal = None
        for descriptor in {self.stdin, self.stdout, self.stderr} - {None}:
            if descriptor is not None:
                os.close(descriptor)
        self.stdin = None


async def open_stream(
    launcher: ExecLauncher, request: ExecStreamRequest, temporary: Path
) -> ExecStream:
    """Start a command and return its session.

    Raises:
        DeadlineExceeded: it did not start in time.
        InvalidArgument: the command cannot be run.
    """
    try:
        async with asyncio.timeout(START_SECONDS):  # the start alone; the process has no limit
            if request.terminal:
                return await _with_terminal(launcher, request, temporary)
            return await _with_pipes(launcher, request)
    except TimeoutError as error:
        raise DeadlineExceeded(
            launcher.subject,
            f"the process did not start in {START_SECONDS:g} s",
            reason="ExecStartTimeout",
        ) from error


async def _with_terminal(
    launcher: ExecLauncher, request: ExecStreamRequest, temporary: Path
) -> ExecStream:
    size = (request.width, request.height) if request.width and request.height else None
    with ConsoleSocket(temporary, size) as console:
        command = ExecCommand(words=request.command, console_socket=console.path, size=size)
        started = await launcher.launch(command)
        try:
            master = await console.receive(launcher.subject)
        except BaseException:
            started.kill()
            raise
    return ExecStream(started, stdin=master, stdout=master, stderr=None)


async def _with_pipes(launcher: ExecLauncher, request: ExecStreamRequest) -> ExecStream:
    with ExitStack() as on_failure, ExitStack() as always:
        stdin_read, stdin = _pipe(always, on_failure) if request.stdin else (None, None)
        stdout, stdout_write = _pipe(on_failure, always)
        stderr, stderr_write = _pipe(on_failure, always)
        command = ExecCommand(
            words=request.command,
            stdin=subprocess.DEVNULL if stdin_read is None else stdin_read,
            stdout=stdout_write,
            stderr=stderr_write,
        )
        started = await launcher.launch(command)
        for ours in (stdin, stdout, stderr):
            if ours is not None:
                os.set_blocking(ours, False)
        on_failure.pop_all()
        return ExecStream(started, stdin=stdin, stdout=stdout, stderr=stderr)


def _pipe(of_read: ExitStack, of_write: ExitStack) -> tuple[int, int]:
    read, write = os.pipe2(os.O_CLOEXEC)
    of_read.callback(os.close, read)
    of_write.callback(os.close, write)
    return read, write


def _window(width: int, height: int) -> bytes:
    return struct.pack("HHHH", height, width, 0, 0)
