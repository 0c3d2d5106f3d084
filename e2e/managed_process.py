"""Start one program in the background with its output in a file, and end exactly that program.

Never signals anything it did not start.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path


class StartFailed(RuntimeError):
    """A program ended or stayed silent while it should have become ready."""


class ManagedProcess:
    """A background program; may be started again after it ended."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        *,
        directory: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Remember what to start; nothing runs yet."""
        self.name = name
        self.command = list(command)
        self.log = log
        self.directory = directory
        self.environment = {**os.environ, **(environment or {})}
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id of the running program."""
        if self.process is None:
            raise StartFailed(f"{self.name} was not started")
        return self.process.pid

    def start(self) -> None:
        """Start the program in a session of its own, so that a Ctrl-C reaches only the tests."""
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.directory,
                env=self.environment,
                start_new_session=True,
            )

    def wait_ready(self, probe: Callable[[], bool], timeout: float = 60.0) -> None:
        """Poll until the probe says yes.

        Raises:
            StartFailed: the program ended, or the time is over; carries the end of its log.
        """
        deadline = time.monotonic() + timeout
        while not probe():
            if self.process is None or self.process.poll() is not None:
                code = None if self.process is None else self.process.returncode
                raise StartFailed(f"{self.name} ended with {code}; its log says:\n{self.tail()}")
            if time.monotonic() > deadline:
                raise StartFailed(f"{self.name} did not answer in {timeout} s; log:\n{self.tail()}")
            time.sleep(0.005)

    def terminate(self, timeout: float = 60.0) -> int:
        """Send SIGTERM and return the exit code; SIGKILL after the time."""
        return self.end_with(signal.SIGTERM, timeout)

    def kill(self) -> int:
        """Send SIGKILL and return the exit code, as a crash of the program would."""
        return self.end_with(signal.SIGKILL, 60.0)

    def end_with(self, number: signal.Signals, timeout: float) -> int:
        """Signal the program, wait, and return its exit code."""
        if self.process is None:
            return 0
        self.process.send_signal(number)
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait(60.0)
        self.process = None
        return code

    def running(self) -> bool:
        """Tell whether the program was started and has not ended."""
        return self.process is not None and self.process.poll() is None

    def tail(self, lines: int = 30) -> str:
        """Return the end of the log."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
