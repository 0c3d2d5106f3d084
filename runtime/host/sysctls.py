"""Write kernel parameters of the calling thread's namespaces, one write per key (security rule D5).

/proc/sys shows the network, IPC and UTS namespaces of whoever opens it (proc_sys(5)), so this must run in a thread that
is inside them. Names were checked by the caller; here only what could leave /proc/sys is refused.
"""

import errno
import os
from pathlib import PurePosixPath

_ROOT = "/proc/sys"

_OWNERS = (
    ("net/", "net"),
    ("fs/mqueue/", "ipc"),
    ("kernel/shm", "ipc"),
    ("kernel/msg", "ipc"),
    ("kernel/sem", "ipc"),
    ("kernel/auto_msgmni", "ipc"),
    ("kernel/hostname", "uts"),
    ("kernel/domainname", "uts"),
)
"""namespaces(7), ipc_namespaces(7), uts_namespaces(7): everything else is the whole host's."""


def sysctl_path(name: str) -> str:
    """Return the file of a parameter: the first separator tells which kind of name it is, as sysctl.d(5) has it.

    `net.ipv4.conf.eth0/1.forwarding` and `net/ipv4/conf/eth0.1/forwarding` are the same file.

    Raises:
        ValueError: the name would leave /proc/sys or has an empty part.
    """
    dot, slash = name.find("."), name.find("/")
    if dot >= 0 and (slash < 0 or dot < slash):
        name = name.translate(str.maketrans("./", "/."))
    parts = name.split("/")
    if any(part in ("", ".", "..") for part in parts) or "\0" in name:
        raise ValueError(f"{name!r} is not the name of a kernel parameter")
    return str(PurePosixPath(_ROOT, *parts))


def owning_namespace(name: str) -> str:
    """Return which namespace a parameter belongs to: `net`, `ipc` or `uts`; empty for the whole host's.

    Raises:
        ValueError: as sysctl_path.
    """
    path = sysctl_path(name)
    for prefix, owner in _OWNERS:
        if path.startswith(f"{_ROOT}/{prefix}"):
            return owner
    return ""


def write_sysctl(name: str, value: str) -> None:
    """Set a parameter with a single write.

    Raises:
        OSError: there is no such parameter in these namespaces, or the kernel refused the value.
    """
    descriptor = os.open(sysctl_path(name), os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        data = value.encode()
        if os.write(descriptor, data) != len(data):
            raise OSError(errno.EINVAL, "the value was not taken as a whole")
    finally:
        os.close(descriptor)


def write_if_present(name: str, value: str) -> bool:
    """Set a parameter that a kernel may lack (IPv6 switched off); tell whether it exists."""
    try:
        write_sysctl(name, value)
    except FileNotFoundError:
        return False
    return True
