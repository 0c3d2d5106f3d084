"""The process that meets a registry's bytes: what it may do, and that nothing of it stays behind."""

from __future__ import annotations

import gzip
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from e2e.command_line import CommandLine
from e2e.cri_client import Client
from e2e.daemon import Lading
from e2e.node import Node, refused
from e2e.session import Session
from e2e.store_state import is_worker
from image.host.privileges import EXTRACTION
from image.tests.fakes.fake_registry import FakeRegistry, Fault, PushedImage, PushedLayer, layer_of
from image.tests.fakes.fake_registry.certificates import make_certificate
from image.tests.policy.signing import payload_of, push_signature, sign, write_public
from image.tests.store.tar_making import TarMaker
from image.tests.worker.test_archive_client import oci

CGROUPS = Path("/sys/fs/cgroup")
USER, PASSWORD = "puller", "S3CR3T-of-the-helper"
HELPER = f"e2e-{os.getpid()}"
KEY = ec.generate_private_key(ec.SECP256R1())


@dataclass
class Place:
    """A daemon whose every way to a registry goes over files for root alone, and that registry."""

    node: Node
    daemon: Lading
    client: Client
    registry: FakeRegistry

    def push(self, name: str, *, signed: bool = True) -> PushedImage:
        """Put an image there."""
        layers = [layer_of({"base": b"1" * 5000}), layer_of({"noise": os.urandom(300_000)})]
        image = self.registry.push_image(name, "v1", layers=layers)
        if signed:
            repository = image.name.partition("/")[2]
            push_signature(
                self.registry,
                repository,
                image.digest,
                sign(KEY, payload_of(image.digest, image.name)),
            )
        return image

    @contextmanager
    def halted_pull(self, name: str) -> Iterator[int]:
        """Give the pid of a worker that waits in the middle of a layer; its pull fails afterwards."""
        image = self.push(name)
        self.registry.add_fault(
            Fault(kind="stall", at_byte=100_000, only=image.layers[-1].digest, times=-1)
        )
        pull = threading.Thread(target=self._pull_in_vain, args=(f"{image.name}:v1",))
        pull.start()
        try:
            wait_until(
                lambda: any((self.daemon.root / "images/staging").glob("*/layer1")), "a layer"
            )
            (pid,) = self.workers()
            yield pid
        finally:
            self.registry.released.set()
            pull.join(60)

    def _pull_in_vain(self, name: str) -> None:
        try:
            self.client.pull(name)
        except grpc.RpcError:
            return

    def workers(self) -> list[int]:
        """Return the pids of this daemon's workers."""
        parent = str(self.daemon.process.pid)
        return [
            int(entry.name)
            for entry in Path("/proc").glob("[0-9]*")
            if status_of(entry).get("PPid") == parent and is_worker(int(entry.name))
        ]


def status_of(entry: Path) -> dict[str, str]:
    """Read a process's status file; empty when it is gone."""
    try:
        lines = (entry / "status").read_text().splitlines()
    except OSError:
        return {}
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def cgroup_of(pid: int) -> Path:
    """Return the directory of a process's cgroup where memory is limited."""
    lines = [one.split(":", 2) for one in Path(f"/proc/{pid}/cgroup").read_text().splitlines()]
    for _, controllers, path in lines:
        if "memory" in controllers.split(","):
            return CGROUPS / "memory" / path.lstrip("/")
    return CGROUPS / next(path for _, names, path in lines if not names).lstrip("/")


def wait_until(reached: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    """Poll until something is true."""
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


@pytest.fixture
def helper() -> Iterator[None]:
    """Install a credential helper for the time of a test."""
    program = Path(f"/usr/local/bin/docker-credential-{HELPER}")
    answer = json.dumps({"Username": USER, "Secret": PASSWORD})
    program.write_text(f"#!/bin/sh\nread server\necho '{answer}'\n")
    program.chmod(0o700)
    yield
    program.unlink()


@pytest.fixture(params=["auto", "extract"])
def place(
    request: pytest.FixtureRequest, session: Session, tmp_path: Path, helper: None
) -> Iterator[Place]:
    tmp_path.chmod(0o700)
    certificate = make_certificate(tmp_path)
    certificate.chmod(0o600)
    with FakeRegistry(
        auth="basic", username=USER, password=PASSWORD, tls_certificate=certificate
    ) as registry:
        rules = tmp_path / "certs.d"
        (rules / registry.host).mkdir(parents=True, mode=0o700)
        (rules / registry.host / "hosts.toml").write_text(
            f'server = "{registry.url}"\nca = "{certificate}"\ncredential_helper = "{HELPER}"\n'
        )
        write_public(KEY, tmp_path / "signer.pub")
        policy = tmp_path / "policy.toml"
        policy.write_text(
            f'[[rule]]\nprefix = "{registry.host}"\nrequire = "signed"\nkeys = ["signer.pub"]\n'
            '[[rule]]\nprefix = "any.invalid"\nrequire = "accept"\n'
        )
        for path in (policy, tmp_path / "signer.pub", rules / registry.host / "hosts.toml"):
            path.chmod(0o600)
        store = str(request.param)
        daemon = Lading(session.workspace, session.network, rules, instance=f"worker-{store}")
        daemon.section("image").update(
            {
                "layer_store": store,
                "policy_path": str(policy),
                "warm_worker_seconds": 0,
            }
        )
        daemon.start()
        client = daemon.client()
        node = Node(session=session, daemon=daemon, client=client, handler="crun")
        yield Place(node, daemon, client, registry)
        client.close()
        daemon.stop()
        assert PASSWORD not in daemon.log.read_text()


def test_all_that_root_alone_may_read_is_used(place: Place, tmp_path: Path) -> None:
    image = place.push("team/app")
    assert place.client.pull(f"{image.name}:v1") == image.config_digest
    unsigned = place.push("team/unsigned", signed=False)
    with refused(grpc.StatusCode.UNKNOWN, says="SignatureValidationFailed"):
        place.client.pull(f"{unsigned.name}:v1")
    lading = CommandLine(place.node)
    archive = tmp_path / "archive.tar"
    archive.write_bytes(gzip.compress(oci(tmp_path / "plain").read_bytes()))
    said = lading("image", "import", "--name", "any.invalid/archived", str(archive)).out
    assert "imported 1 image" in said
    assert lading("image", "resolve", f"{image.name}:v1").out


def test_a_worker_has_few_rights(place: Place) -> None:
    extracts = "extract" in str(place.daemon.section("image")["layer_store"])
    allowed = sum(1 << capability for capability in EXTRACTION) if extracts else 0
    user = "0" if extracts else "61099"
    with place.halted_pull("team/halted") as pid:
        found = status_of(Path(f"/proc/{pid}"))
        for kind in ("CapPrm", "CapEff", "CapBnd"):
            assert int(found[kind], 16) & ~allowed == 0, kind
        assert set(found["Uid"].split()) == set(found["Gid"].split()) == {user}
        assert found["Groups"] == "" or extracts
        assert int(found["CapInh"], 16) == int(found["CapAmb"], 16) == 0
        assert (found["NoNewPrivs"], found["Seccomp"]) == ("1", "2")


def test_what_an_index_cannot_express_is_extracted_all_the_same(place: Place) -> None:
    odd = {"GNU.sparse.map": "0,100,200,56", "GNU.sparse.size": "256", "GNU.sparse.name": "s"}
    tar = TarMaker().add("s", b"x" * 156, pax=odd).add("owned", b"1", owner=(7, 7)).done()
    layer = PushedLayer(blob=gzip.compress(tar, mtime=0), tar=tar)
    image = place.registry.push_image("team/odd", "v1", layers=[layer_of({"base": b"1"}), layer])
    repository = image.name.partition("/")[2]
    signed = sign(KEY, payload_of(image.digest, image.name))
    push_signature(place.registry, repository, image.digest, signed)
    assert place.client.pull(f"{image.name}:v1") == image.config_digest
    (found,) = (place.daemon.root / "images/layers").glob("*/root/s")
    assert found.read_bytes() == b"x" * 100 + bytes(100) + b"x" * 56
    assert found.with_name("owned").stat().st_uid == 7
    assert not (found.parent.parent / "tar").exists()


def test_workers_share_a_cgroup_with_limits(place: Place) -> None:
    with place.halted_pull("team/halted") as pid:
        cgroup = cgroup_of(pid)
        assert cgroup.name.startswith("lading-workers")
        assert cgroup.name != cgroup_of(place.daemon.process.pid).name
        names = ("memory.max", "cpu.weight")
        if not (cgroup / names[0]).exists():
            names = ("memory.limit_in_bytes", "cpu.shares")
        assert int((cgroup / names[0]).read_text()) == 2 * 2**30
        weight = Path(str(cgroup).replace("/memory/", "/cpu/")) / names[1]
        assert int(weight.read_text()) in (12, 128)


def test_a_worker_that_needs_too_much_names_the_setting(place: Place) -> None:
    place.daemon.stop()
    place.daemon.section("image")["worker_memory"] = 24 * 2**20
    place.daemon.start()
    image = place.push("team/hungry")
    with refused(grpc.StatusCode.RESOURCE_EXHAUSTED, says="image.worker_memory"):
        place.client.pull(f"{image.name}:v1")


@pytest.mark.parametrize("crash", [False, True], ids=["stopped", "crashed"])
def test_no_worker_outlives_its_daemon(place: Place, crash: bool) -> None:
    with place.halted_pull("team/halted") as pid:
        cgroup = cgroup_of(pid)
        if crash:
            place.daemon.kill()
        else:
            place.daemon.process.terminate(90.0)  # it lets calls go on for 25 s
        wait_until(lambda: not Path(f"/proc/{pid}").exists(), "the worker lives on")
    if crash:
        assert cgroup.is_dir()
        place.daemon.start()
        assert cgroup.is_dir()
        place.daemon.stop()
    assert not cgroup.exists()
    assert not any((place.daemon.root / "images/staging").iterdir())
