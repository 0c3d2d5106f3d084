"""Give up what a process that reads hostile bytes does not need, in two steps.

Promise: after `confine` neither this process nor a program it starts can regain a capability, and its use of files
and memory is limited; after `keep_extraction` or `become` it has what extraction needs, or nothing. Works unprivileged
too: what is not held cannot be given up. Call them in the only thread: capabilities belong to threads (capabilities(7)).
"""

import ctypes
import os
import resource
import struct

_PR_CAPBSET_DROP = 24
_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_CAPABILITY_VERSION_3 = 0x20080522

# capabilities(7): what extraction needs to give files their owners, modes, devices and file capabilities.
CHOWN, DAC_OVERRIDE, FOWNER, FSETID, MKNOD, SETFCAP = 0, 1, 3, 4, 27, 31
EXTRACTION = (CHOWN, DAC_OVERRIDE, FOWNER, FSETID, MKNOD, SETFCAP)
SETGID, SETUID, SETPCAP = 6, 7, 8
_UNTIL_CHOSEN = (*EXTRACTION, SETGID, SETUID, SETPCAP)
_HIGHEST = 63

_libc = ctypes.CDLL(None, use_errno=True)


def confine(*, memory_bytes: int, open_files: int) -> None:
    """Drop capabilities, forbid new ones, limit resources, and create files with exact modes (umask 0)."""
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_AS, memory_bytes)
    _limit(resource.RLIMIT_NOFILE, open_files)
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    # Credentials are in memory: no other process of the same user may read it (prctl(2)).
    _check(_libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0))
    os.umask(0)
    if os.geteuid() == 0:
        _drop_capabilities(_UNTIL_CHOSEN)


def keep_extraction() -> None:
    """Keep what extraction needs, and nothing that could change users."""
    if os.geteuid() == 0:
        _drop_capabilities(EXTRACTION)


def become(uid: int) -> None:
    """Become a user and group of this number, which no file has to know, without any capability.

    Raises:
        OSError: this process may not change its user.
    """
    if os.geteuid() != 0:
        return
    _bound(())
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    _set_capabilities(0)
    # The kernel resets it with the user id (prctl(2)).
    _check(_libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0))


def _limit(which: int, value: int) -> None:
    hard = resource.getrlimit(which)[1]
    capped = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(which, (capped, capped))


def _drop_capabilities(kept: tuple[int, ...]) -> None:
    _bound(kept)
    _set_capabilities(sum(1 << capability for capability in kept) & _permitted())


def _bound(kept: tuple[int, ...]) -> None:
    """Let no program regain any other capability."""
    for capability in range(_HIGHEST + 1):
        if capability not in kept:
            # EINVAL above the last one that this kernel knows, EPERM without CAP_SETPCAP: nothing to drop then.
            _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    _libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)


def _set_capabilities(wanted: int) -> None:
    header = struct.pack("Ii", _CAPABILITY_VERSION_3, 0)
    low, high = wanted & 0xFFFFFFFF, wanted >> 32
    _check(_libc.capset(header, struct.pack("6I", low, low, 0, high, high, 0)))


def _permitted() -> int:
    header = struct.pack("Ii", _CAPABILITY_VERSION_3, 0)
    data = ctypes.create_string_buffer(24)
    _check(_libc.capget(header, data))
    words = struct.unpack("6I", data.raw)
    return int(words[1] | words[4] << 32)


def _check(result: int) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
