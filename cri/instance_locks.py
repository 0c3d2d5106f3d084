"""One daemon per root, state directory and address: locks taken before anything is bound or changed.

Locks are flock(2) on files that stay: the kernel lets go of them when the process dies, however it dies, so nothing is
ever stale. Children do not inherit them. Never removes a lock file, which would let two daemons lock different ones.
"""

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from runtime.errors import FailedPrecondition

log = logging.getLogger(__name__)

_NAME = "daemon.lock"


@contextmanager
def instance_locks(root: Path, state: Path, address: Path) -> Iterator[None]:
    """Hold the locks of an instance while the block runs.

    Raises:
        FailedPrecondition: another process holds one of them; its pid is told.
    """
    with ExitStack() as held:
        for what, path, option in (
            (f"root directory {root}", root / _NAME, "--root"),
            (f"state directory {state}", state / _NAME, "--state"),
            (f"address {address}", address.with_name(f".{address.name}.lock"), "--address"),
        ):
            held.enter_context(_lock(what, path, option))
        yield


@contextmanager
def _lock(what: str, path: Path, option: str) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise _in_use(what, option, os.pread(descriptor, 32, 0)) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _in_use(what: str, option: str, content: bytes) -> FailedPrecondition:
    text = content.decode("ascii", "replace").strip()
    holder = f"process {text}" if text.isdecimal() else "another process"
    stop = f"stop it (kill {text})" if text.isdecimal() else "stop it"
    return FailedPrecondition(
        what,
        f"is in use by {holder}",
        remedy=f"{stop}, or give this daemon another one with {option}",
        reason="InstanceRunning",
    )
