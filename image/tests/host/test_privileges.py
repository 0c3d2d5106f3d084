"""Tests of giving up privileges, in a process of their own: it cannot be undone."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from image.host.privileges import EXTRACTION

_SCRIPT = """
import json, os, resource, sys
from image.host.privileges import become, confine, keep_extraction
confine(memory_bytes=1 << 32, open_files=100)
if sys.argv[1] == "0":
    keep_extraction()
else:
    become(int(sys.argv[1]))
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
print(json.dumps({
    "status": status, "umask": os.umask(0),
    "limits": [resource.getrlimit(r)[1] for r in (resource.RLIMIT_AS, resource.RLIMIT_NOFILE, resource.RLIMIT_CORE)],
}))
"""


def confined(uid: int) -> tuple[dict[str, str], int, list[int]]:
    """Confine a process and give its status file, umask and limits."""
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, str(uid)],
        check=True,
        capture_output=True,
        cwd=Path(__file__).resolve().parents[3],
        text=True,
    )
    found = json.loads(done.stdout)
    return found["status"], found["umask"], found["limits"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another")
def test_process_becomes_a_user_without_any_right() -> None:
    status = confined(61099)[0]
    assert set(status["Uid"].split()) == set(status["Gid"].split()) == {"61099"}
    assert status["Groups"].split() == []
    for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[kind], 16) == 0, kind


def test_process_keeps_only_what_extraction_needs() -> None:
    status, umask, limits = confined(0)
    assert status["NoNewPrivs"] == "1"
    assert umask == 0
    assert limits == [1 << 32, 100, 0]
    if os.geteuid() != 0:
        pytest.skip("only root has capabilities to drop")
    allowed = sum(1 << capability for capability in EXTRACTION)
    for kind in ("CapPrm", "CapEff", "CapBnd"):
        assert int(status[kind], 16) & ~allowed == 0
    assert int(status["CapEff"], 16) & 1
    assert int(status["CapInh"], 16) == int(status["CapAmb"], 16) == 0
