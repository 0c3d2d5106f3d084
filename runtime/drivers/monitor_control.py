"""Speak to a running conmon through its control fifo: reopen the log, set a terminal's size.

One line at a time: up to 2.1.13 conmon that finds two lines in one read does the first twice and drops the second, so
each line is sent under a lock and the fifo is polled with FIONREAD until it is empty. The fifo is opened without
blocking; ENXIO means that nobody reads it any more.
"""

import asyncio
import errno
import fcntl
import os
import re
import socket
import stat
import struct
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from runtime.drivers.monitor import ATTACH_SOCKET, CONTROL_FIFO
from runtime.errors import DeadlineExceeded, FailedPrecondition, Internal, PodRuntimeError
from runtime.formats.monitor_messages import REOPEN_LOG, resize_line

_TAKEN_SECONDS = 10.0
"""0.6 to 0.8 ms measured, seconds on a node without a free processor; more than this means that conmon hangs in a write
to a full or dead log disk."""
_POLL_SECONDS = 0.0003
_HELD_LOG = re.compile(rb"k8s-file:/proc/self/fd/([0-9]+)/[^/]+")
"""How `monitor` names a log whose directory it hands over as a descriptor."""
_TEMPORARY = ".tmp"
"""conmon opens NAME.tmp, links followed, and renames it to NAME (src/ctr_logging.c)."""


class MonitorControl:
    """The control fifo of one container's monitor."""

    def __init__(self, id: str, bundle: Path, monitor_pid: int) -> None:
        self._id = id
        self._fifo = bundle / CONTROL_FIFO
        self._monitor_pid = monitor_pid
        self._lock = asyncio.Lock()

    async def reopen_log(self, path: Path) -> None:
        """Make the monitor write to a new file at `path`, which exists when this returns.

        A file that the monitor already writes to stays: reopening it would replace it and lose what is in it.

        Raises:
            FailedPrecondition: the monitor is gone, the path is a link, or its directory is not the monitor's any more.
            DeadlineExceeded: the monitor does not answer.
        """
        subject = f"reopen log of {self._id}"
        async with self._lock:
            with self._log_directory(path.parent, subject) as directory:
                present = _file_in(directory, path, subject)
                if present is not None and present in self._open_files():
                    return
                _file_in(directory, path.with_name(path.name + _TEMPORARY), subject)
                await self._send(REOPEN_LOG, subject)
                await self._wait_until(
                    lambda: _file_in(directory, path, subject) not in (None, present), subject
                )

    async def resize(self, width: int, height: int) -> None:
        """Set the size of the container's terminal.

        Raises:
            FailedPrecondition: the monitor is gone.
            DeadlineExceeded: it does not answer.
        """
        async with self._lock:
            await self._send(resize_line(width, height), f"resize terminal of {self._id}")

    def attach(self) -> socket.socket:
        """Connect to the monitor's attach socket.

        Raises:
            FailedPrecondition: the monitor is gone.
        """
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
        connection.setblocking(False)
        # A bundle's path is longer than the 107 characters of sockaddr_un: go through its descriptor, as conmon does.
        bundle = os.open(self._fifo.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            connection.connect(f"/proc/self/fd/{bundle}/{ATTACH_SOCKET}")
        except OSError as error:
            connection.close()
            raise _no_monitor(f"attach to {self._id}", error) from error
        finally:
            os.close(bundle)
        return connection

    @contextmanager
    def _log_directory(self, directory: Path, subject: str) -> Iterator[int]:
        """Hold the log's directory open; it must still be the one that the monitor holds (security rule F1).

        conmon ends when it cannot open the new file, and the container's log with it: a directory that it knows by
        path is made again, one that it holds and that was removed cannot be.
        """
        held = self._held_directory()
        if held is None:
            directory.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise _replaced(directory, subject) from error
        try:
            if held is not None and held != _identity(os.fstat(descriptor)):
                raise _replaced(directory, subject)
            yield descriptor
        finally:
            os.close(descriptor)

    def _held_directory(self) -> tuple[int, int] | None:
        """Return which directory the monitor holds for its log; None when it has the path alone, or is gone."""
        process = Path(f"/proc/{self._monitor_pid}")
        try:
            for word in (process / "cmdline").read_bytes().split(b"\0"):
                found = _HELD_LOG.fullmatch(word)
                if found is not None:
                    return _identity((process / "fd" / found[1].decode()).stat())
        except OSError:
            return None
        return None

    def _open_files(self) -> set[tuple[int, int]]:
        found: set[tuple[int, int]] = set()
        try:
            descriptors = list(Path(f"/proc/{self._monitor_pid}/fd").iterdir())
        except OSError:
            return found
        for descriptor in descriptors:
            try:
                status = descriptor.stat()
            except OSError:
                continue
            found.add(_identity(status))
        return found

    async def _send(self, line: bytes, subject: str) -> None:
        try:
            fifo = os.open(self._fifo, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError as error:
            raise _no_monitor(subject, error) from error
        try:
            os.write(fifo, line)
            await self._wait_until(lambda: _unread(fifo) == 0, subject)
        except OSError as error:
            raise _no_monitor(subject, error) from error
        finally:
            os.close(fifo)

    async def _wait_until(self, reached: Callable[[], bool], subject: str) -> None:
        try:
            async with asyncio.timeout(
                _TAKEN_SECONDS
            ):  # the monitor itself never says that it is done
                while not reached():  # noqa: ASYNC110 - no event tells when a fifo was read
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError as error:
            raise DeadlineExceeded(
                subject,
                f"the monitor did not act within {_TAKEN_SECONDS:g} s",
                remedy="check the disk that holds the container's log",
                reason="MonitorHangs",
                program="conmon",
            ) from error


def _unread(fifo: int) -> int:
    answer = fcntl.ioctl(fifo, termios.FIONREAD, struct.pack("i", 0))
    count: int = struct.unpack("i", answer)[0]
    return count


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _file_in(directory: int, path: Path, subject: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path.name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(status.st_mode):
        raise FailedPrecondition(
            subject,
            f"{path} is a link or no file",
            remedy="remove it; a log is a plain file in the pod's log directory",
            reason="LogIsLink",
        )
    return _identity(status)


def _replaced(directory: Path, subject: str) -> FailedPrecondition:
    return FailedPrecondition(
        subject,
        f"{directory} is not the directory any more that the monitor writes in",
        remedy="put it back, or make the container again",
        reason="LogDirectoryReplaced",
    )


def _no_monitor(subject: str, error: OSError) -> PodRuntimeError:
    if error.errno in (errno.ENXIO, errno.ENOENT, errno.EPIPE, errno.ECONNREFUSED):
        return FailedPrecondition(
            subject, "the container's monitor is gone", reason="MonitorLost", program="conmon"
        )
    return Internal(subject, f"the control fifo fails: {error.strerror}", program="conmon")
