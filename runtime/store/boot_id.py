"""Which boot of this node is running, so that a reboot between two starts of the daemon is noticed.

The kernel draws a new random id at each boot. It never guesses: an unreadable id is an error.
"""

from pathlib import Path

from runtime.errors import Unavailable

BOOT_ID_FILE = Path("/proc/sys/kernel/random/boot_id")


def read_boot_id(file: Path = BOOT_ID_FILE) -> str:
    """Return the id of the running boot.

    Raises:
        Unavailable: the kernel does not tell it; /proc is probably not mounted.
    """
    try:
        text = file.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Unavailable(
            f"boot id {file}", "cannot be read", remedy="mount /proc", reason="NoBootId"
        ) from error
    if not text:
        raise Unavailable(f"boot id {file}", "is empty", remedy="mount /proc", reason="NoBootId")
    return text
