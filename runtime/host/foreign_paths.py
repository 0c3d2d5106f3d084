"""Touch host paths that pods name. Such a path may be on a dead NFS server and never answer.

Each look-up has a daemon thread of its own, never one of the shared pool, and a deadline. Threads that hang are counted;
when there are too many, further look-ups fail at once instead of piling up. Nothing is opened, so no device is touched;
a missing path is made as directories 0755, as the kubelet's default hostPath type expects.
"""

import asyncio
import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

from runtime.errors import InvalidArgument, NotFound, ResourceExhausted, Unavailable
from runtime.host.directories import make_directories
from runtime.host.host import ResolvedSource
from runtime.host.own_thread import run_in_own_thread
from runtime.host.system_call import error_of

THREADS_LIMIT = 64
"""Look-ups at a time, hung ones included: a thread costs about 50 KB of memory and one of pids.max."""

_LONGEST = 4095
"""PATH_MAX without its NUL (security rule E5)."""

Lookup = Callable[[str, bool], ResolvedSource]


def resolve_source(path: str, create: bool) -> ResolvedSource:
    """Follow the links of `path`; make it as a directory when it is missing and `create` says so. May block for ever.

    Raises:
        NotFound: it is missing and not to be made.
        OSError: as the kernel says.
    """
    created = False
    try:
        found = os.stat(path)
    except FileNotFoundError as error:
        if not create:
            raise NotFound(
                f"host path {path}",
                "does not exist",
                remedy="create it, or use hostPath type DirectoryOrCreate",
                reason="HostPathMissing",
            ) from error
        # realpath first: mkdir would answer "exists" for a link that leads to nothing.
        make_directories(Path(os.path.realpath(path)), 0o755)  # what both reference runtimes make
        found = os.stat(path)
        created = True
    return ResolvedSource(
        path=os.path.realpath(path), is_directory=stat.S_ISDIR(found.st_mode), created=created
    )


class ForeignPaths:
    """Runs look-ups with a deadline and counts the threads; used from one event loop."""

    def __init__(self, *, limit: int = THREADS_LIMIT, lookup: Lookup = resolve_source) -> None:
        self._limit = limit
        self._lookup = lookup
        self._running = 0

    @property
    def running(self) -> int:
        """Look-ups that have not answered yet, hung ones included."""
        return self._running

    async def resolve(self, path: str, *, create: bool, deadline_seconds: float) -> ResolvedSource:
        """Resolve one host path.

        Raises:
            InvalidArgument: the path is not absolute, too long, or has a NUL.
            NotFound: it is missing and not to be made.
            Unavailable: it did not answer in time.
            ResourceExhausted: too many look-ups hang already.
        """
        _check(path)
        if self._running >= self._limit:
            raise ResourceExhausted(
                f"host path {path}",
                f"{self._running} look-ups of host paths do not answer",
                remedy="repair or unmount the dead file system",
                reason="HostPathsHang",
            )
        loop = asyncio.get_running_loop()
        self._running += 1

        def work() -> ResolvedSource:
            """Follow the path; may never return."""
            try:
                return self._lookup(path, create)
            finally:
                self._note_end(loop)

        try:
            async with asyncio.timeout(deadline_seconds):  # a dead file server never answers
                return await run_in_own_thread(work, name="foreign-path")
        except TimeoutError as error:
            raise Unavailable(
                f"host path {path}",
                f"did not answer within {deadline_seconds:g} s",
                remedy="check the file system it is on",
                reason="HostPathHangs",
            ) from error
        except OSError as error:
            raise _told(path, error) from error

    def _note_end(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            loop.call_soon_threadsafe(self._count_down)
        except RuntimeError:
            return  # the loop is closed, and the count with it

    def _count_down(self) -> None:
        self._running -= 1


def _told(path: str, error: OSError) -> Exception:
    subject = f"host path {path}"
    if error.errno in (errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG):
        cause = (error.strerror or "").lower()
        return InvalidArgument(subject, cause, reason="BadHostPath")
    return error_of(error, subject)


def _check(path: str) -> None:
    subject = f"host path {path[:200]!r}"
    if not path.startswith("/"):
        raise InvalidArgument(subject, "is not absolute", reason="BadHostPath")
    if "\0" in path or len(os.fsencode(path)) > _LONGEST:
        raise InvalidArgument(
            subject, f"has a NUL or more than {_LONGEST} bytes", reason="BadHostPath"
        )
