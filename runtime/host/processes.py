"""Know, signal and await processes without mistaking one for a later one with the same number (pidfd_open(2)).

An identity is a pid with its start time. Every action opens a pidfd first and compares the start time afterwards: from
then on the descriptor means that process and no other. Nothing here waits for children; that is the reaper's.
"""

import asyncio
import os
import select
import signal as signals

from runtime.formats.proc_stat import ProcessStat, parse_process_stat
from runtime.host.host import ProcessIdentity


def read_stat(pid: int) -> ProcessStat | None:
    """Return a process's stat line, None when there is no such process."""
    try:
        # /proc never waits for a disk: a direct call of about 15 microseconds.
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            return parse_process_stat(file.read(4096))
    except (FileNotFoundError, ProcessLookupError):
        return None


def identify(pid: int) -> ProcessIdentity | None:
    """Return who has this pid now; None for nobody, or a zombie."""
    if pid <= 0:
        return None
    stat = read_stat(pid)
    if stat is None or stat.is_gone:
        return None
    return ProcessIdentity(pid=pid, start_time=stat.start_time)


def is_alive(process: ProcessIdentity) -> bool:
    """Tell whether that very process exists and has not ended; a zombie has."""
    return identify(process.pid) == process


def open_pidfd(process: ProcessIdentity) -> int | None:
    """Return a new descriptor of that very process, None when it is gone; the caller closes it."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return None
    except OSError:
        # EINVAL: the number now belongs to a thread that leads no process (before Linux 6.9).
        return None
    stat = read_stat(process.pid)
    if stat is None or stat.start_time != process.start_time:
        os.close(descriptor)
        return None
    return descriptor


def send_signal(process: ProcessIdentity, number: int) -> bool:
    """Signal that very process; False when it has ended.

    Raises:
        OSError: the kernel refused (EINVAL for a bad number, EPERM).
    """
    descriptor = open_pidfd(process)
    if descriptor is None:
        return False
    try:
        if _has_ended(descriptor):
            return False
        signals.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(descriptor)
    return True


async def wait_gone(process: ProcessIdentity, timeout_seconds: float | None) -> bool:
    """Wait until that very process has ended; False at the timeout. Costs a descriptor, no thread and no polling."""
    descriptor = open_pidfd(process)
    if descriptor is None:
        return True
    if _has_ended(descriptor):
        os.close(descriptor)
        return True
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()

    def on_end() -> None:
        """Tell the waiter that the process ended."""
        # A readable pidfd stays readable: without this the loop would spin until the waiter runs.
        loop.remove_reader(descriptor)
        if not ended.done():
            ended.set_result(None)

    loop.add_reader(descriptor, on_end)
    try:
        async with asyncio.timeout(timeout_seconds):  # the caller's patience
            await ended
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
    return True


def _has_ended(descriptor: int) -> bool:
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    return bool(poller.poll(0))
