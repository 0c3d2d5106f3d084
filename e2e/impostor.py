"""A process with a number that another one had, as a node gives it out after all numbers were used once.

clone3(2) with set_tid gives exactly the number that is asked for; what ns_last_pid announces may go to anything that
starts next on a busy machine. Ends what it started and nothing else.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from runtime.host.processes import identify, is_alive

# A program of its own with one thread: after a raw clone only such a one may go on in Python.
PROGRAM = """
import ctypes, errno, os, signal, struct, sys, time
libc = ctypes.CDLL(None, use_errno=True)
number = ctypes.c_int32(int(sys.argv[1]))
# flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size
wanted = struct.pack("10Q", 0, 0, 0, 0, signal.SIGCHLD, 0, 0, 0, ctypes.addressof(number), 1)
until = time.monotonic() + 60
while (child := libc.syscall(435, wanted, len(wanted))) < 0:
    if ctypes.get_errno() != errno.EEXIST or time.monotonic() > until:
        sys.exit(f"{number.value} cannot be had: {os.strerror(ctypes.get_errno())}")
    time.sleep(0.01)
if child == 0:
    os.execvp("sleep", ["sleep", "1000"])
print("begun", flush=True)
os.waitpid(child, 0)
"""


@contextmanager
def impostor(pid: int) -> Iterator[None]:
    """Let a process have a number; it must live until the block ends."""
    parent = subprocess.Popen([sys.executable, "-c", PROGRAM, str(pid)], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    try:
        assert parent.stdout.readline() == b"begun\n"
        process = identify(pid)
        assert process is not None
        yield
        assert is_alive(process), "the impostor was ended"
    finally:
        if parent.poll() is None:
            os.kill(pid, signal.SIGKILL)
        parent.communicate()
