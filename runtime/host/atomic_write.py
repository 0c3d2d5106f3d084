"""Replace a file as a whole: readers see the old content or the new, never a part.

A temporary file beside it is written, flushed to disk and renamed over it (rename(2)); then the directory is flushed, so
that the new name survives a power loss. On tmpfs nothing survives one, so flushing can be left out.
"""

import os
import secrets
from contextlib import suppress
from pathlib import Path


def write_atomically(
    path: Path, content: bytes, *, mode: int = 0o600, durable: bool = True
) -> None:
    """Write `content` to `path`. With `durable` it survives a power loss once this returns (1-5 ms).

    Raises:
        OSError: nothing changed, and no temporary file is left.
    """
    temporary = path.parent / f".{path.name}.{secrets.token_hex(4)}.tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(temporary, flags, mode)
    try:
        try:
            os.fchmod(descriptor, mode)  # the umask must not decide
            _write_all(descriptor, content)
            if durable:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.rename(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    if durable:
        flush_directory(path.parent)


def flush_directory(directory: Path) -> None:
    """Make names created, renamed or removed in a directory survive a power loss."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
