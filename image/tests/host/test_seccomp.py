"""Tests of the filter of system calls, in a process of its own: it cannot be undone."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from image.host import seccomp

_SCRIPT = """
import ctypes, errno, json, os, socket, threading
from image.host.seccomp import forbid_calls
libc = ctypes.CDLL(None, use_errno=True)
libc.prctl(38, 1, 0, 0, 0)
done = forbid_calls()
def tried(work):
    try:
        work()
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done"
def call(number):
    def make():
        if libc.syscall(ctypes.c_long(number), 0, 0, 0, 0, 0) < 0:
            raise OSError(ctypes.get_errno(), "x")
    return make
in_thread = []
thread = threading.Thread(target=lambda: in_thread.append(tried(lambda: socket.socket(socket.AF_UNIX))))
thread.start()
thread.join()
print(json.dumps({
    "installed": done,
    "unix": tried(lambda: socket.socket(socket.AF_UNIX)),
    "unix in a thread": in_thread[0],
    "vsock": tried(lambda: socket.socket(40)),
    "inet": tried(lambda: socket.socket(socket.AF_INET).close()),
    "inet6 or not here": tried(lambda: socket.socket(socket.AF_INET6).close()) in ("done", "EAFNOSUPPORT"),
    "netlink": tried(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close()),
    "pair": tried(lambda: [one.close() for one in socket.socketpair()]),
    "program": tried(lambda: os.execv("/bin/true", ["true"])),
    "io_uring": tried(call(425)),
    "resolve": tried(lambda: socket.getaddrinfo("localhost", 80)),
    "status": [l for l in open("/proc/self/status") if l.startswith("Seccomp:")][0].split()[1],
}))
"""


@pytest.mark.skipif(os.uname().machine not in ("x86_64", "aarch64"), reason="no table of calls")
def test_a_process_reaches_the_network_and_no_socket_file() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT],
        check=True,
        capture_output=True,
        cwd=Path(__file__).resolve().parents[3],
        text=True,
    )
    found = json.loads(done.stdout)
    assert found == {
        "installed": True,
        "unix": "EAFNOSUPPORT",
        "unix in a thread": "EAFNOSUPPORT",
        "vsock": "EAFNOSUPPORT",
        "inet": "done",
        "inet6 or not here": True,
        "netlink": "done",
        "pair": "done",
        "program": "EPERM",
        "io_uring": "EPERM",
        "resolve": "done",
        "status": "2",
    }


def test_an_unknown_machine_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seccomp, "_TABLES", {})
    assert not seccomp.forbid_calls()


def test_tables_forbid_the_same_calls_on_each_machine() -> None:
    assert len({len(calls) for _, _, calls in seccomp._TABLES.values()}) == 1
