"""Make, pin and enter namespaces (namespaces(7)). Python is never forked for it.

A throw-away thread leaves the daemon's namespaces with unshare(2), sets up what is inside, and binds
/proc/thread-self/ns/* to files: the pins keep the namespaces alive after the thread has ended. One pod costs about a
millisecond and no process.
"""

import fcntl
import os
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from runtime.errors import InvalidArgument
from runtime.host.host import PodNamespaces
from runtime.host.mounts import bind, unmount_all
from runtime.host.sysctls import owning_namespace, write_if_present, write_sysctl
from runtime.host.system_call import error_of, libc_call

CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWNET = 0x40000000

_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 0x1
_NO_ROUTER_ADVERTS = ("net/ipv6/conf/all/accept_ra", "net/ipv6/conf/default/accept_ra")

T = TypeVar("T")


def make_namespaces(wanted: PodNamespaces) -> None:
    """Make and pin what is wanted; on failure nothing is left. Call it in a thread that ends afterwards.

    Raises:
        PodRuntimeError: it failed; the subject names the step.
    """
    # Checked first, so that a bad name costs nothing to undo.
    for name, _ in wanted.sysctls:
        _check_sysctl(wanted, name)
    made: list[Path] = []
    made_directory = not wanted.directory.exists()
    try:
        _step(wanted, "make the directory of pins", lambda: _make_directory(wanted.directory))
        _enter_new(wanted)
        for name in _pin_names(wanted):
            _step(wanted, f"pin {name}", lambda pin=wanted.directory / name: _pin(pin, made))  # type: ignore[misc]
    except BaseException:
        _undo(wanted.directory, made, made_directory=made_directory)
        raise


def _enter_new(wanted: PodNamespaces) -> None:
    _step(wanted, "unshare", lambda: _unshare(wanted))
    if wanted.network:
        _step(wanted, "bring loopback up", _bring_loopback_up)
        _step(wanted, "switch router advertisements off", _refuse_router_adverts)
    if wanted.uts and wanted.hostname:
        hostname = wanted.hostname
        _step(wanted, f"set hostname {hostname}", lambda: socket.sethostname(hostname))
    for name, value in wanted.sysctls:
        _set_sysctl(name, value)


def remove_pins(directory: Path) -> None:
    """Unmount and remove the pins below `directory`, and the directory; gone is success.

    Raises:
        OSError: the kernel refused, or there is something else in the directory.
    """
    try:
        names = os.listdir(directory)
    except FileNotFoundError:
        return
    for name in names:
        unmount_all(directory / name)
        with suppress(FileNotFoundError):
            os.unlink(directory / name)
    with suppress(FileNotFoundError):
        os.rmdir(directory)


def inside(pin: Path, work: Callable[[], T]) -> T:
    """Enter the namespace behind `pin` and do `work` there. Call it in a thread that ends afterwards.

    Raises:
        OSError: there is no such pin, or it is no namespace.
    """
    descriptor = os.open(pin, os.O_RDONLY | os.O_CLOEXEC)
    try:
        libc_call("setns", descriptor, 0)
    finally:
        os.close(descriptor)
    return work()


def _step(wanted: PodNamespaces, what: str, work: Callable[[], object]) -> None:
    try:
        work()
    except OSError as error:
        subject = f"namespaces in {wanted.directory}: {what}"
        raise error_of(error, subject) from error


def _make_directory(directory: Path) -> None:
    os.makedirs(directory, mode=0o700, exist_ok=True)


def _unshare(wanted: PodNamespaces) -> None:
    flags = CLONE_NEWNET if wanted.network else 0
    flags |= CLONE_NEWIPC if wanted.ipc else 0
    flags |= CLONE_NEWUTS if wanted.uts else 0
    if flags:
        libc_call("unshare", flags)


def _bring_loopback_up() -> None:
    # struct ifreq: name, then flags (netdevice(7)).
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        answer = fcntl.ioctl(channel, _SIOCGIFFLAGS, struct.pack("16sh22x", b"lo", 0))
        (flags,) = struct.unpack_from("h", answer, 16)
        fcntl.ioctl(channel, _SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", flags | _IFF_UP))


def _refuse_router_adverts() -> None:
    # Security rule I2: else any neighbour could become the pod's router. Interfaces made later take `default`.
    for name in _NO_ROUTER_ADVERTS:
        write_if_present(name, "0")


def _check_sysctl(wanted: PodNamespaces, name: str) -> None:
    subject = f"sysctl {name[:64]}"
    try:
        owner = owning_namespace(name)
    except ValueError as error:
        raise InvalidArgument(subject, str(error), reason="BadSysctl") from error
    # The caller has checked this too; here a mistake would change the host (CVE-2022-0532).
    if owner not in _pin_names(wanted):
        raise InvalidArgument(
            subject, "belongs to no namespace that the pod owns", reason="HostSysctl"
        )


def _set_sysctl(name: str, value: str) -> None:
    try:
        write_sysctl(name, value)
    except OSError as error:
        cause = f"the kernel refused the value: {(error.strerror or str(error)).lower()}"
        if isinstance(error, FileNotFoundError):
            cause = "this kernel has no such parameter in the pod's namespaces"
        raise InvalidArgument(
            f"sysctl {name}", cause, remedy="correct the pod's sysctls", reason="BadSysctl"
        ) from error


def _pin_names(wanted: PodNamespaces) -> tuple[str, ...]:
    given = (("net", wanted.network), ("ipc", wanted.ipc), ("uts", wanted.uts))
    return tuple(name for name, is_wanted in given if is_wanted)


def _pin(path: Path, made: list[Path]) -> None:
    os.close(os.open(path, os.O_RDONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    made.append(path)
    bind(f"/proc/thread-self/ns/{path.name}", str(path))


def _undo(directory: Path, made: list[Path], *, made_directory: bool) -> None:
    # What fails here is found again by recovery: pins of unknown pods are removed at start.
    for path in made:
        with suppress(OSError):
            unmount_all(path)
            os.unlink(path)
    if made_directory:
        with suppress(OSError):
            os.rmdir(directory)
