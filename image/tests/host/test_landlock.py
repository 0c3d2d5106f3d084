"""Tests of Landlock, in a process of their own: it cannot be undone."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from image.host import landlock

_SCRIPT = """
import ctypes, json, os, socket, sys
from image.host.landlock import restrict
ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)
mine, seen, secret = sys.argv[1:4]
outer = socket.socket(socket.AF_UNIX)
abi = restrict(writable=[mine, mine + "/absent"], readable=[seen])
def tried(work):
    try:
        work()
    except OSError as error:
        return error.errno
    return 0
def bind():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
print(json.dumps({
    "abi": abi,
    "write": tried(lambda: open(mine + "/new", "w").close()),
    "rename": tried(lambda: os.rename(mine + "/new", mine + "/below/new")),
    "link": tried(lambda: os.link(mine + "/below/new", mine + "/linked")),
    "read": tried(lambda: open(seen).close()),
    "change what is read": tried(lambda: open(seen, "a").close()),
    "read elsewhere": tried(lambda: open(secret).close()),
    "write elsewhere": tried(lambda: open(secret, "a").close()),
    "make elsewhere": tried(lambda: os.mkdir(os.path.dirname(secret) + "/d")),
    "move out": tried(lambda: os.rename(mine + "/linked", secret)),
    "execute": tried(lambda: os.execv("/bin/true", ["true"])),
    "signal": tried(lambda: os.kill(os.getppid(), 0)),
    "bind": tried(bind),
}))
"""


def test_a_process_keeps_only_what_it_was_given(tmp_path: Path) -> None:
    if not landlock.landlock_abi():
        pytest.skip("this kernel has no Landlock")
    (tmp_path / "mine" / "below").mkdir(parents=True)
    seen, secret = tmp_path / "seen", tmp_path / "other" / "secret"
    secret.parent.mkdir()
    for file in (seen, secret):
        file.write_text("x")
    place = Path(__file__).resolve().parents[3]
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, tmp_path / "mine", seen, secret],
        check=True,
        capture_output=True,
        cwd=place,
        text=True,
    )
    found = json.loads(done.stdout)
    abi = found.pop("abi")
    allowed = {"write", "rename", "link", "read"}
    if abi < 6:
        allowed |= {"signal"}
    if abi < 4:
        allowed |= {"bind"}
    assert {name for name, code in found.items() if code == 0} == allowed
    assert sorted(os.listdir(tmp_path / "other")) == ["secret"]


def test_an_old_kernel_is_told_and_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landlock, "landlock_abi", lambda: 0)
    assert landlock.restrict(writable=(), readable=()) == 0
    assert os.listdir("/")
