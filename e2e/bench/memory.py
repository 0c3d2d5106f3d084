"""Proportional memory (PSS) of processes, as the kernel accounts it in smaps_rollup, and their processor time.

Reads /proc only. The workload's own process is left out: it is the user's, and equal everywhere.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def pss_kilobytes(pid: int) -> int:
    """Return a process's PSS; 0 if it is gone."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0


def processor_seconds(pid: int) -> float:
    """Return what a process has used and its reaped children had (proc_pid_stat(5)); 0 if it is gone."""
    with suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def command_of(pid: int) -> list[str]:
    """Return the argument list of a process; empty if it is gone."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
    return []


def total_megabytes(pids: Iterable[int], workload: list[str]) -> float:
    """Return the PSS of all processes that do not run the workload's command."""
    return sum(pss_kilobytes(pid) for pid in pids if command_of(pid) != workload) / 1024
