"""Tests of the daemon's half against workers that misbehave."""

import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from image.errors import DeadlineExceeded, ImageError, Internal, NotFound, Unavailable
from image.exchange.messages import PullEvent
from image.model.records import ImageRecord, RegistryAuth
from image.model.reference import parse_reference
from image.pulls.worker_conversation import (
    PullConversation,
    worker_argv,
    worker_environment,
    worker_pool,
)
from image.store.image_store import ImageStore
from image.tests.exchange.test_messages import request
from image.tests.pulls.subprocess_launcher import SPEAK, SubprocessLauncher

EMPTY_CONFIG = '{"os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}'
COMMIT = (
    SPEAK
    + f"""
import base64, hashlib
config, manifest = b'{EMPTY_CONFIG}', b"{{}}"
digest = lambda content: "sha256:" + hashlib.sha256(content).hexdigest()
commit = {{
    "kind": "commit", "target_digest": digest(manifest), "manifest_digest": digest(manifest),
    "manifest": base64.b64encode(manifest).decode(), "config_digest": digest(config),
    "config": base64.b64encode(config).decode(), "layers": [],
}}
"""
)


class Talk:
    """Runs one conversation with a script as the worker."""

    def __init__(self, store: ImageStore) -> None:
        self.store = store
        self.events: list[PullEvent] = []
        self.unpack_seconds = 20.0

    async def run(
        self, script: str, *, deadline: float = 20, auth: RegistryAuth | None = None
    ) -> ImageRecord:
        self.launcher = SubprocessLauncher(script)
        space = await self.store.begin_pull()
        conversation = PullConversation(
            space,
            parse_reference("r.test/app:1"),
            deadline,
            self.events.append,
            unpack_seconds=self.unpack_seconds,
        )
        try:
            wanted = replace(request(auth), staging=str(space.staging))
            return await conversation.run(worker_pool(self.launcher), wanted)
        finally:
            await space.close()
            # Killed and reaped, whatever happened.
            assert not os.path.exists(f"/proc/{self.launcher.started[0].pid}")


@pytest.fixture
async def talk(tmp_path: Path) -> AsyncIterator[Talk]:
    store = await ImageStore.open(tmp_path / "images")
    yield Talk(store)
    assert os.listdir(store.root / "staging") == []
    store.close()


async def test_finished_image_is_registered(talk: Talk) -> None:
    event = 'say({"kind": "event", "status": "Waiting", "layer": "x", "current": 0, "total": 0})\n'
    record = await talk.run(COMMIT + event + "say(commit); hear()")
    assert record is talk.store.find("r.test/app:1")
    assert talk.events == [PullEvent(status="Waiting", layer="x")]


@pytest.mark.parametrize(
    ("script", "error", "text"),
    [
        ("", Unavailable, "worker process ended while starting"),
        (SPEAK + "import os; os.kill(os.getpid(), 9)", Unavailable, "ended"),
        (SPEAK + "end.sendall(b'\\xff' * 100); hear()", Internal, "nonsense"),
        (SPEAK + "end.sendall(b'\\0\\0\\0\\2[]'); hear()", Internal, "nonsense"),
        (SPEAK + "say({'kind': 'dance'}); hear()", ImageError, "dance"),
        (SPEAK + "say({}); hear()", ImageError, "kind"),
        (SPEAK + "say({'kind': 'claim', 'chains': ['../x']}); hear()", ImageError, "digest"),
        (
            SPEAK + "say({'kind': 'claim', 'chains': ['sha256:' + '0'*64] * 501}); hear()",
            ImageError,
            "500",
        ),
        (SPEAK + "say({'kind': 'slot', 'size': 'x'}); hear()", ImageError, "size"),
        (SPEAK + "say({'kind': 'circuit', 'url': 'x'}); hear()", ImageError, "open_until_ms"),
        (SPEAK + "say({'kind': 'flight', 'blob': '../x'}); hear()", ImageError, "digest"),
        (SPEAK + "say({'kind': 'flight done', 'blob': '../x'}); hear()", ImageError, "digest"),
        (SPEAK + "say({'kind': 'resumed', 'bytes': 'x'}); hear()", ImageError, "bytes"),
        (
            SPEAK
            + "say({'kind': 'config', 'digest': 'sha256:' + '0'*64, 'blobs': ['../x']}); hear()",
            ImageError,
            "digest",
        ),
        (SPEAK + "say({'kind': 'slot done'}); say({'kind': 'dance'}); hear()", ImageError, "dance"),
        (
            SPEAK + "say({'kind': 'unchanged', 'digest': 'sha256:' + '0'*64}); hear()",
            Internal,
            "unchanged that is not here",
        ),
        (COMMIT + "commit['config'] = '!'; say(commit); hear()", ImageError, "base64"),
        (
            COMMIT + "commit['config_digest'] = digest(b'x'); say(commit); hear()",
            Internal,
            "digest",
        ),
        (
            COMMIT + "commit['layers'] = [{'digest': digest(b'a'), 'diff_id': digest(b'a'),"
            " 'chain_id': digest(b'a'), 'size_bytes': 1}]; say(commit); hear()",
            Internal,
            "other layers",
        ),
        (
            SPEAK
            + "say({'kind': 'layer', 'ask': 1, 'chain': 'sha256:' + '0'*64, 'staged': '../../x',"
            " 'opaque': [], 'used_bytes': 1, 'inodes': 1, 'layer_kind': 'extract', 'parent': ''}); hear(); hear()",
            Internal,
            "impossible",
        ),
        (
            SPEAK
            + "say({'kind': 'below', 'ask': 1, 'layers': ['sha256:' + '0'*64], 'about': 'names',"
            " 'paths': ['etc/shadow']}); hear()",
            Internal,
            "not its own",
        ),
        (
            SPEAK
            + "say({'kind': 'below', 'ask': 1, 'layers': [], 'about': 'names', 'paths': ['../x']}); hear()",
            ImageError,
            "no path",
        ),
        (
            SPEAK
            + "say({'kind': 'error', 'class': 'NotFound', 'subject': 'app', 'cause': 'absent',"
            " 'remedy': '', 'reason': 'ManifestUnknown', 'details': []}); hear()",
            NotFound,
            "ManifestUnknown",
        ),
    ],
)
async def test_bad_worker_fails_only_its_pull(
    talk: Talk, script: str, error: type[ImageError], text: str
) -> None:
    with pytest.raises(error, match=text):
        await talk.run(script or "pass")
    assert talk.store.list_images() == ()


async def test_flight_is_granted_and_what_is_not_held_may_be_given_back(talk: Talk) -> None:
    talk.store.partial_directory.joinpath("sha256-" + "0" * 64).write_bytes(b"x")
    blob = "'blob': 'sha256:' + '0'*64"
    script = (
        f"say({{'kind': 'flight done', {blob}}}); say({{'kind': 'flight', 'ask': 7, {blob}}})\n"
        f"assert hear() == {{'kind': 'flight', 'ask': 7, {blob}}}\n"
        "say({'kind': 'resumed', 'bytes': 5})\n"
    )
    await talk.run(COMMIT + script + "say(commit); hear()")
    assert talk.store.resumed_bytes == 5
    assert talk.store.partial_bytes() > 0  # not of this image, so it may be another's


@pytest.mark.parametrize(
    ("status", "reason", "remedy"),
    [
        ("Downloading", "PullStalled", "check the registry and the network"),
        ("Extracting", "UnpackStalled", "check the disk of the image store"),
    ],
)
async def test_silent_worker_is_ended_with_the_stage(
    talk: Talk, status: str, reason: str, remedy: str
) -> None:
    extracting = status == "Extracting"
    talk.unpack_seconds = 0.2 if extracting else 60.0
    event = f"{{'kind': 'event', 'status': '{status}', 'layer': 'x', 'current': 1, 'total': 2}}"
    # The first deadline is for starting a Python too: it grows until the worker says its stage within it.
    for deadline in (60.0,) if extracting else (1.0, 6.0, 60.0):
        with pytest.raises(DeadlineExceeded) as caught:
            await talk.run(SPEAK + f"say({event}); hear()", deadline=deadline)
        if talk.events:
            break
    told = talk.unpack_seconds if extracting else deadline
    assert f"no progress for {told:g} seconds while {status.lower()}" in str(caught.value)
    assert caught.value.reason == reason
    assert caught.value.remedy.startswith(remedy)


EXTRACT = (
    SPEAK
    + """
import os
if request["task"] == "pull":
    os.mkdir(request["staging"] + "/layer0")
    open(request["staging"] + "/layer0/tar", "w").close()
    chain = "sha256:" + "1" * 64
    say({"kind": "claim", "ask": 1, "chains": [chain]})
    hear()
    say({"kind": "layer", "ask": 2, "chain": chain, "staged": STAGED, "opaque": [], "used_bytes": 0,
         "inodes": 0, "layer_kind": "tar", "parent": "", "below": []})
    hear()
    say({"kind": "error", "class": "NotFound", "subject": "published", "cause": "it", "remedy": "", "reason": "x",
         "details": []})
else:
    os.mkdir(request["staging"] + "/root")
    os.unlink(request["staging"] + "/tar")
    facts = [request["task"], request["uid"], request["auth"], request["below"]]
    assert facts == ["extract", 0, None, []], facts
    say({"kind": "event", "status": "Extracting", "layer": "", "current": 0, "total": 0})
    say({"kind": "extracted", "opaque": [], "used_bytes": 1, "inodes": 1, "layer_kind": "extract", "parent": ""})
hear()
"""
)


async def test_a_layer_that_has_no_index_is_extracted_by_another_worker(talk: Talk) -> None:
    auth = RegistryAuth(username="u", password="p")
    with pytest.raises(NotFound, match="published"):
        await talk.run(EXTRACT.replace("STAGED", "'layer0'"), auth=auth)
    assert len(talk.launcher.started) == 2
    assert [event.status for event in talk.events] == ["Extracting"]
    assert len(os.listdir(talk.store.root / "layers")) == 1


async def test_a_layer_to_extract_must_be_there(talk: Talk) -> None:
    with pytest.raises(Internal, match="no directory"):
        await talk.run(EXTRACT.replace("STAGED", "'other'"))


async def test_credentials_go_over_the_socket_alone(talk: Talk) -> None:
    check = (
        "assert request['auth']['password'] == 'S3C' + 'R3T'\n"
        "place = open('/proc/self/cmdline').read() + open('/proc/self/environ').read()\n"
        "assert 'S3C' + 'R3T' not in place\n"
    )
    await talk.run(COMMIT + check + "say(commit); hear()", auth=RegistryAuth(password="S3CR3T"))
    argv, env = talk.launcher.seen[0]
    assert "S3CR3T" not in repr((argv, env))


def test_command_line_is_isolated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LD_PRELOAD", "evil.so")
    monkeypatch.setenv("SSL_CERT_FILE", "certs.pem")
    assert "-I" in worker_argv(5)
    assert worker_argv(5)[-1] == "5"
    assert worker_environment()["SSL_CERT_FILE"] == "certs.pem"
    assert "LD_PRELOAD" not in worker_environment()
