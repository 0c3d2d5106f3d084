"""A worker's work can touch its own places and nothing else; tried in processes of their own."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from image.errors import Internal
from image.host.landlock import landlock_abi
from image.tests.exchange.test_messages import request
from image.worker.confinement import give_up, readable_places, writable_places

_SCRIPT = """
import json, os, ssl, socket, sys
from image.model.json_document import parse_json_object
from image.worker.confinement import give_up
from image.exchange.messages import read_request
from image.host.privileges import confine
confine(memory_bytes=1 << 33, open_files=100)
wanted = read_request(parse_json_object(sys.argv[1].encode(), subject="it", max_bytes=1 << 20))
give_up(wanted)
def tried(work):
    try:
        work()
    except OSError as error:
        return type(error).__name__
    return "done"
place = os.path.dirname(wanted.staging)
print(json.dumps({
    "staged": tried(lambda: os.makedirs(wanted.staging + "/layer0/root")),
    "kept": tried(lambda: (open(wanted.partial + "/new", "w").close(), os.unlink(wanted.partial + "/new"))),
    "lower": tried(lambda: open(place + "/layers/file").close()),
    "other pull": tried(lambda: open(place + "/other/file").close()),
    "written elsewhere": tried(lambda: open(place + "/new", "w").close()),
    "home": tried(lambda: os.listdir(os.path.expanduser("~"))),
    "program": tried(lambda: os.spawnv(os.P_WAIT, "/bin/true", ["true"]) and os.stat("/none/x")),
    "socket file": tried(lambda: socket.socket(socket.AF_UNIX)),
    "certificates": tried(ssl.create_default_context),
    "names": tried(lambda: socket.getaddrinfo("localhost", 443)),
    "module": tried(lambda: __import__("xmlrpc.client")),
}))
"""


def test_only_the_places_of_the_request_are_left(tmp_path: Path) -> None:
    if not landlock_abi():
        pytest.skip("this kernel has no Landlock")
    for name in ("staging", "layers", "partial", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("x")
    wanted = replace(
        request(None), staging=str(tmp_path / "staging"), partial=str(tmp_path / "partial")
    )
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, json.dumps(wanted.message())],
        check=True,
        capture_output=True,
        cwd=Path(__file__).resolve().parents[3],
        text=True,
        env={"HOME": str(tmp_path / "other")},
    )
    found = json.loads(done.stdout)
    assert found == {
        "staged": "done",
        "kept": "done",
        "lower": "PermissionError",
        "other pull": "PermissionError",
        "written elsewhere": "PermissionError",
        "home": "PermissionError",
        "program": "FileNotFoundError",  # spawnv says 127, and so it was not run
        "socket file": "OSError",
        "certificates": "done",
        "names": "done",
        "module": "done",
    }


def test_an_archive_is_read_and_unpacked_beside_itself() -> None:
    listing = replace(request(None), task="archive", staging="", archive="/s/pull-1/archive")
    assert writable_places(listing) == ["/s/pull-1"]
    importing = replace(listing, task="import", staging="/s/pull-2")
    assert writable_places(importing) == ["/s/pull-2"]
    assert "/s/pull-1/archive" in readable_places(importing)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another")
def test_another_user_reaches_its_places_by_descriptors(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    for place in (closed / "staging", closed / "import"):
        place.mkdir(parents=True)
    closed.chmod(0o700)
    (closed / "import/archive").write_bytes(b"content")
    wanted = replace(
        request(None),
        uid=61099,
        staging=str(closed / "staging"),
        archive=str(closed / "import/archive"),
        task="import",
    )
    script = """
import os, sys
from image.model.json_document import parse_json_object
from image.worker.confinement import give_up
from image.exchange.messages import read_request
from image.host.privileges import confine
confine(memory_bytes=1 << 33, open_files=100)
wanted = give_up(read_request(parse_json_object(sys.argv[1].encode(), subject="it", max_bytes=1 << 20)))
os.makedirs(wanted.staging + "/layer0")
with open(wanted.archive, "rb") as archive, open(wanted.staging + "/layer0/tar", "xb") as tar:
    tar.write(archive.read())
try:
    os.listdir("/proc/1/fd")
except PermissionError:
    print(os.getuid())
"""
    done = subprocess.run(
        [sys.executable, "-c", script, json.dumps(wanted.message())],
        check=True,
        capture_output=True,
        cwd=Path(__file__).resolve().parents[3],
        text=True,
    )
    assert done.stdout == "61099\n"
    made = closed / "staging/layer0/tar"
    assert made.read_bytes() == b"content"
    assert made.stat().st_uid == 61099
    assert closed.stat().st_mode & 0o777 == 0o700


def test_no_other_thread_may_stay_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "listdir", lambda _path: ["1", "2"])
    with pytest.raises(Internal, match="another thread"):
        give_up(request(None))
