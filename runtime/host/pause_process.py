"""Start the pause program that holds a pod's PID namespace, and end what lives in a pinned one.

The program (runtime/pause/pause.c) does the work: it pins the namespace, prints its child's pid and exits. The child is
known by pid and start time from then on, and lives on when the daemon ends.
"""

import os
import signal
from pathlib import Path

from runtime.errors import DeadlineExceeded, Internal
from runtime.host.cgroup_layout import CgroupLayout
from runtime.host.cgroups import make
from runtime.host.host import PauseRequest, ProcessIdentity
from runtime.host.launcher import Ended, Launcher
from runtime.host.processes import identify, send_signal

START_SECONDS = 10.0
"""It takes 1 ms; this is for a machine that swaps."""

_JOINED = ("net", "ipc", "uts")


async def start_pause(
    launcher: Launcher, request: PauseRequest, cgroup_procs: tuple[Path, ...]
) -> ProcessIdentity:
    """Run the pause program and return its child, which runs and is pinned.

    Raises:
        Internal: it failed; the message is its own.
        DeadlineExceeded: it did not come up.
        Unavailable: it is not installed.
    """
    subject = f"pause process for {request.namespaces}"
    argv = _arguments(request, cgroup_procs)
    ended = await launcher.run(argv, timeout_seconds=START_SECONDS, subject=subject, env={})
    process = identify(_child_pid(ended, subject, argv[0]))
    if process is None:
        raise Internal(subject, "ended at once", program=argv[0], reason="PauseFailed")
    return process


def cgroup_files(layout: CgroupLayout, cgroup: str) -> tuple[Path, ...]:
    """Make a cgroup where it is missing and return the files that a process enters it by; blocking."""
    return tuple(directory / "cgroup.procs" for directory in make(layout, cgroup)) if cgroup else ()


def end_pid_namespace(pin: Path) -> bool:
    """Kill process 1 of a pinned PID namespace, and the kernel with it all others; False when there is none.

    For clean-up when the process was never written down: looks through /proc, about 10 microseconds per process.
    """
    try:
        wanted = os.stat(pin).st_ino
    except FileNotFoundError:
        return False
    for name in os.listdir("/proc"):
        if name.isdigit() and _is_init_of(name, wanted):
            process = identify(int(name))
            if process is not None and _is_init_of(name, wanted):
                return send_signal(process, signal.SIGKILL)
    return False


def _is_init_of(pid: str, namespace: int) -> bool:
    try:
        if os.stat(f"/proc/{pid}/ns/pid").st_ino != namespace:
            return False
        with open(f"/proc/{pid}/status", "rb") as file:
            # NSpid: the process's number in each namespace from ours inwards (proc_pid_status(5)).
            line = next((line for line in file if line.startswith(b"NSpid:")), b"")
    except OSError:
        return False
    return line.split()[-1:] == [b"1"]


def _arguments(request: PauseRequest, cgroup_procs: tuple[Path, ...]) -> list[str]:
    argv = [str(request.program)]
    for file in cgroup_procs:
        argv += ["--cgroup-procs", str(file)]
    for name in _JOINED:
        pin = request.namespaces / name
        if pin.exists():
            argv += [f"--{name}", str(pin)]
    return [*argv, "--pin", str(request.namespaces / "pid")]


def _child_pid(ended: Ended, subject: str, program: str) -> int:
    said = ended.stderr.decode(errors="replace").strip()[-400:]
    if ended.timed_out:
        raise DeadlineExceeded(
            subject,
            f"did not come up within {START_SECONDS:g} s",
            reason="PauseTimeout",
            program=program,
            details=(said,) if said else (),
        )
    text = ended.stdout.decode(errors="replace").strip()
    if ended.exit_code == 0 and text.isascii() and text.isdigit():
        return int(text)
    cause = said or f"exit code {ended.exit_code}, printed {text[:80]!r}"
    raise Internal(subject, cause, reason="PauseFailed", program=program, exit_code=ended.exit_code)
