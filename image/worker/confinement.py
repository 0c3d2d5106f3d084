"""What one worker may touch: the second step of gather, give up, pull.

Promise: after `give_up` a pull changes files in its staging directory and among the unfinished downloads alone, starts no
program, talks to nobody but over the network and to the daemon (a runtime's socket file would be all of root's power),
and reads only what a registry client needs and the archive it was given; what lies below a new layer is asked from the
daemon. The kubelet's secrets, containers' data and
users' homes are out of its reach, with whatever capability it has. Call it in the only thread.
"""

import os
import ssl
import sys
from collections.abc import Iterator
from dataclasses import replace

from image.errors import Internal
from image.exchange.messages import WorkerRequest
from image.host.landlock import restrict
from image.host.privileges import become, keep_extraction
from image.host.seccomp import forbid_calls

_SYSTEM_FILES = (
    # names and addresses: resolv.conf(5), nsswitch.conf(5), gai.conf(5)
    "/etc/resolv.conf",
    "/run/systemd/resolve",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/nsswitch.conf",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/protocols",
    # certificates of the system, and what their links lead to
    "/etc/ssl",
    "/etc/pki",
    "/etc/ca-certificates",
    "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates",
    # what the C library looks at
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/usr/share/zoneinfo",
    "/usr/lib/locale",
    "/proc/self",
    "/sys/devices/system/cpu",
    "/dev/null",
    "/dev/random",
    "/dev/urandom",
)


def give_up(request: WorkerRequest) -> WorkerRequest:
    """Shut this process in for a request; return it with the names that its places have from now on.

    Raises:
        Internal: another thread runs, which would stay free.
        OSError: the kernel refused.
    """
    if len(os.listdir("/proc/self/task")) > 1:
        raise Internal("pull worker", "cannot shut itself in: another thread runs")
    if request.uid and os.geteuid() == 0:
        request = _take_along(request)
        restrict(writable=writable_places(request), readable=readable_places(request))
        become(request.uid)
    else:
        restrict(writable=writable_places(request), readable=readable_places(request))
        keep_extraction()
    forbid_calls()
    return request


def _take_along(request: WorkerRequest) -> WorkerRequest:
    """Give the user that this process becomes its places, and ways there: the directories above stay root's alone."""
    uid = request.uid
    for place in (request.staging, request.partial):
        if place:
            os.chown(place, uid, uid)
    request = replace(request, staging=_entered(request.staging), partial=_entered(request.partial))
    if request.archive:
        directory, name = os.path.split(request.archive)
        for place in (directory, request.archive):
            os.chown(place, uid, uid, follow_symlinks=False)
        request = replace(request, archive=f"{_entered(directory)}/{name}")
    return request


def _entered(directory: str) -> str:
    """Open a directory for as long as this process lives, and return a path that begins there; no name stays none."""
    if not directory:
        return ""
    return f"/proc/self/fd/{os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)}"


def writable_places(request: WorkerRequest) -> list[str]:
    """List the directories that a request's work may change."""
    # A packed archive is unpacked beside itself, in the staging directory of whoever wrote it there.
    beside = os.path.dirname(request.archive) if request.task == "archive" else ""
    return [place for place in (request.staging, request.partial, beside) if place]


def readable_places(request: WorkerRequest) -> list[str]:
    """List what a request's work may read besides."""
    own = [request.archive] if request.archive else []
    return list(dict.fromkeys([*_python_places(), *_certificates(), *_SYSTEM_FILES, *own]))


def _python_places() -> Iterator[str]:
    """Give where modules and libraries come from that are loaded when they are first used."""
    yield from (path for path in sys.path if path)
    yield from (sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix)
    # Libraries of the system: name service modules lie beside the C library, wherever that is.
    with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as maps:
        for line in maps:
            path = line.rstrip("\n").partition("/")[2]
            if ".so" in path:
                yield os.path.dirname(f"/{path}")


def _certificates() -> Iterator[str]:
    """Give where OpenSSL looks, by its build and by the environment."""
    found = ssl.get_default_verify_paths()
    named = (found.cafile, found.capath, found.openssl_cafile, found.openssl_capath)
    yield from (path for path in named if path)
