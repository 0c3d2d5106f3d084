"""Remove a container that has ended: the runtime's state, its monitor, exit file and the driver's files in the bundle.

`RUNTIME delete` without --force takes 5 to 8 ms; forcing takes 110 ms with runc, which polls, so it is the second try.
"""

import asyncio
import signal
from pathlib import Path

from runtime.drivers.container_files import remove_files
from runtime.drivers.exit_files import ExitFiles
from runtime.drivers.oci_command import OciCommand
from runtime.drivers.process_watch import ProcessWatch
from runtime.errors import Internal

MONITOR_END_SECONDS = 1.0
"""conmon ends by itself 1 ms after its exit file."""
MONITOR_DEATH_SECONDS = 20.0
"""After SIGKILL; beyond that it hangs in a write to a dead disk."""


async def remove_container(
    command: OciCommand,
    exit_files: ExitFiles,
    id: str,
    bundle: Path,
    monitor: ProcessWatch | None,
) -> None:
    """Remove everything of a stopped container; what is gone already is success.

    Raises:
        Internal: the monitor does not end.
        PodRuntimeError: the runtime refuses.
    """
    subject = f"delete container {id}"
    await _delete_state(command, id, subject)
    await _end_monitor(monitor, subject)
    exit_files.remove(id)
    remove_files(bundle)


async def _delete_state(command: OciCommand, id: str, subject: str) -> None:
    if not command.knows(id):
        return
    result = await command.try_call("delete", id, subject=subject)
    if result.exit_code != 0 and command.knows(id):
        # crun and runc refuse while a zombie of the container waits for its parent; force waits for it.
        await command.call("delete", "--force", id, subject=subject)


async def _end_monitor(monitor: ProcessWatch | None, subject: str) -> None:
    if monitor is None or monitor.has_ended():
        return
    await asyncio.wait({monitor.ended}, timeout=MONITOR_END_SECONDS)
    if monitor.has_ended():
        return
    monitor.signal(signal.SIGKILL)
    await asyncio.wait({monitor.ended}, timeout=MONITOR_DEATH_SECONDS)
    if not monitor.has_ended():
        raise Internal(subject, "its monitor does not end after SIGKILL", program="conmon")
