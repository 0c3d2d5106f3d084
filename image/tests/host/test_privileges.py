"""Tests of giving up privileges, in a process of their own: it cannot be undone."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from image.host.privileges import EXTRACTION

_SCRIPT = """
import json, os, resource
from image.host.privileges import confine
confine(memory_bytes=1 << 32, open_files=100)
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
print(json.dumps({
    "status": status, "umask": os.umask(0),
    "limits": [resource.getrlimit(r)[1] for r in (resource.RLIMIT_AS, resource.RLIMIT_NOFILE, resource.RLIMIT_CORE)],
}))
"""


def test_process_keeps_only_what_extraction_needs() -> None:
    place = Path(__file__).resolve().parents[3]
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT], check=True, capture_output=True, cwd=place, text=True
    )
    found = json.loads(done.stdout)
    assert found["status"]["NoNewPrivs"] == "1"
    assert found["umask"] == 0
    assert found["limits"] == [1 << 32, 100, 0]
    if os.geteuid() != 0:
        pytest.skip("only root has capabilities to drop")
    allowed = sum(1 << capability for capability in EXTRACTION)
    for kind in ("CapPrm", "CapEff", "CapBnd"):
        assert int(found["status"][kind], 16) & ~allowed == 0
    assert int(found["status"]["CapEff"], 16) & 1
    assert int(found["status"]["CapInh"], 16) == int(found["status"]["CapAmb"], 16) == 0
