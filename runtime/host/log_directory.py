"""Open the directory of a container's log below the pod's log directory, so that no link can lead it elsewhere.

The log path is pod data (security rule F1): relative, without `..`, every part a real directory, and the last part no
link. The directory is handed on as a descriptor; conmon and the log reader use it as /proc/self/fd/N/NAME.
"""

import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from runtime.errors import FailedPrecondition, InvalidArgument
from runtime.host.container_root import (
    RESOLVE_BENEATH,
    RESOLVE_NO_MAGICLINKS,
    RESOLVE_NO_SYMLINKS,
    open_resolved,
)
from runtime.host.directories import make_directories

_DIRECTORY_MODE = 0o755
"""As the kubelet makes /var/log/pods/POD/CONTAINER: log shippers read it as another user."""
_LONGEST = 4095
_RESOLVE = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenedLogDirectory:
    """A log's directory, held by a descriptor that the receiver closes."""

    descriptor: int
    name: str
    """The log's file name in it."""
    path: str
    """Absolute path for records and messages; not for opening."""


def open_log_directory(log_directory: str, log_path: str) -> OpenedLogDirectory:
    """Open the directory that `log_path` has below `log_directory`; missing directories are made.

    Raises:
        InvalidArgument: the path is absolute, leaves the directory, or is no file name.
        FailedPrecondition: a part of it, or the log itself, is a link or no directory.
        OSError: the kernel refused.
    """
    parts = _checked_parts(log_directory, log_path)
    make_directories(Path(log_directory), _DIRECTORY_MODE)
    current = os.open(log_directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in parts[:-1]:
            following = _enter(current, part, log_path)
            os.close(current)
            current = following
        check_log_file(current, parts[-1])
    except BaseException:
        os.close(current)
        raise
    path = str(PurePosixPath(log_directory, *parts))
    return OpenedLogDirectory(descriptor=current, name=parts[-1], path=path)


def check_log_file(descriptor: int, name: str) -> None:
    """Refuse a log that exists as anything but a regular file; also to be asked before a reopen.

    Raises:
        FailedPrecondition: it is a link or another kind of file.
    """
    try:
        found = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
    except FileNotFoundError:
        return
    if not stat.S_ISREG(found.st_mode):
        raise FailedPrecondition(
            f"log {name}",
            "exists and is not a regular file",
            remedy="remove it",
            reason="ForbiddenLog",
        )


def _checked_parts(log_directory: str, log_path: str) -> tuple[str, ...]:
    subject = f"log path {log_path[:200]!r}"
    if not Path(log_directory).is_absolute() or "\0" in log_directory:
        raise InvalidArgument(
            f"log directory {log_directory[:200]!r}", "is no absolute path", reason="BadLogPath"
        )
    parts = PurePosixPath(log_path).parts
    if not parts or "\0" in log_path or len(log_path) > _LONGEST:
        raise InvalidArgument(subject, "is no file name", reason="BadLogPath")
    if log_path.startswith("/") or ".." in parts:
        raise InvalidArgument(subject, "leaves the pod's log directory", reason="BadLogPath")
    return parts


def _enter(current: int, part: str, log_path: str) -> int:
    created = _make(current, part)
    # Opened for reading only when its mode must be set: fchmod does not take O_PATH.
    flags = os.O_RDONLY if created else os.O_PATH
    try:
        following = open_resolved(
            current, part, flags=flags | os.O_DIRECTORY | os.O_NOFOLLOW, resolve=_RESOLVE
        )
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.ENOTDIR, errno.EXDEV):
            raise
        raise FailedPrecondition(
            f"log path {log_path[:200]!r}",
            f"{part!r} is a link or no directory",
            remedy="remove it",
            reason="ForbiddenLog",
        ) from error
    if created:
        os.fchmod(following, _DIRECTORY_MODE)  # whatever our umask is
    return following


def _make(current: int, part: str) -> bool:
    try:
        os.mkdir(part, _DIRECTORY_MODE, dir_fd=current)
    except FileExistsError:
        return False
    return True
