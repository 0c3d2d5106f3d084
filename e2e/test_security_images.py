"""Security rules A1 to A4, B5 and C3 on a node: hostile layers and images, in both kinds of layer stores.

A victim directory on the host stands for everything that a layer must not reach. An image may do nothing but be refused or
be harmless.
"""

from __future__ import annotations

import json
import os
import secrets
import stat
import tarfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import grpc
import pytest
import zstandard

from cri.api import api_pb2
from e2e.command_line import CommandLine
from e2e.conftest import PEER
from e2e.counting_registry import counting_registry
from e2e.daemon import Lading
from e2e.images.image import OCI, Document, PublishedImage, Settings, encode, publish
from e2e.images.layer import Entry, Layer, build_layer, digest_of, hard_link, regular, symlink
from e2e.kubelet_requests import ContainerShape
from e2e.leftovers import take_snapshot, wait_clean
from e2e.made_images import busybox_layer
from e2e.node import Node, said
from e2e.session import Session
from e2e.store_state import cpu_seconds, descendants
from image.tests.store.tar_making import DIRECTORY, TarMaker, header

pytestmark = pytest.mark.skipif(PEER, reason="asks for what only Lading promises")

MEGABYTE = 1 << 20
MAX_LAYER = 512 * MEGABYTE
SECRET = "S3CR3T-" + secrets.token_hex(4)


@dataclass
class Place:
    """A node with one kind of layers, and what no image may touch."""

    node: Node
    victim: Path

    @property
    def daemon(self) -> Lading:
        """The daemon."""
        assert isinstance(self.node.daemon, Lading)
        return self.node.daemon

    def pull(self, *layers: Layer, settings: Settings | None = None) -> str:
        """Pull busybox with these layers on top; return the name."""
        image = publish(settings or Settings(command=("sh",)), [busybox_layer(), *layers])
        return self.pull_image(image)

    def pull_image(self, image: PublishedImage) -> str:
        """Pull an image from a registry of its own; return the name."""
        host = f"sec{secrets.token_hex(4)}.invalid"
        name = f"{host}/test/image:1"
        with counting_registry(self.node.session.registry.rules, host, {"1": image}):
            self.node.client.pull(name, timeout=600)
        return name

    def refusal(self, *layers: Layer) -> grpc.RpcError | None:
        """Pull what may be refused for what it is, and must not break anything."""
        try:
            self.pull(*layers)
        except grpc.RpcError as error:
            return error
        return None

    def run(self, name: str, script: str) -> str:
        """Return what a container of the image says."""
        pod = self.node.run()
        shape = ContainerShape(image=name, command=("sh", "-c", script))
        try:
            container = pod.started(shape)
            self.node.client.wait_exited(container, timeout=120)
            return said(self.node.client, container)
        finally:
            pod.remove()

    def check_victim(self) -> None:
        """The victim is as it was made."""
        assert sorted(os.listdir(self.victim)) == ["f"]
        seen = (self.victim / "f").stat()
        assert (self.victim / "f").read_bytes() == b"safe"
        assert (stat.S_IMODE(seen.st_mode), seen.st_nlink, seen.st_uid) == (0o640, 1, 0)
        assert stat.S_IMODE(self.victim.stat().st_mode) == 0o750


@pytest.fixture(scope="module", params=["auto", "extract"])
def shared_place(request: pytest.FixtureRequest, session: Session) -> Iterator[Place]:
    places = (session.workspace, session.network)
    before = take_snapshot(*places)
    victim = session.workspace.folder(f"victim-{request.param}")
    daemon = Lading(*places, session.registry.rules, instance=f"sec-{request.param}")
    daemon.section("image").update(layer_store=request.param, max_layer_bytes=MAX_LAYER)
    daemon.start()
    client = daemon.client()
    try:
        yield Place(Node(session, daemon, client), victim)
        client.remove_everything()
    finally:
        client.close()
        daemon.stop()
    assert wait_clean(before, *places, client.seen_ids) == []


@pytest.fixture
def place(shared_place: Place) -> Iterator[Place]:
    victim = shared_place.victim
    victim.chmod(0o750)
    (victim / "f").write_bytes(b"safe")
    (victim / "f").chmod(0o640)
    yield shared_place
    shared_place.check_victim()
    shared_place.node.client.remove_everything()


def layer_of_tar(tar: bytes) -> Layer:
    """Return any tar as a layer."""
    blob = zstandard.compress(tar, 1)
    return Layer(blob=blob, compression="zstd", diff_id=digest_of(tar))


def ways_out(victim: str) -> dict[str, list[Entry]]:
    """Name what has led out of other tools."""
    up = "../" * 20
    return {
        "root is a link": [Entry(path=".", kind=tarfile.SYMTYPE, target=victim)],
        "file below a link": [symlink("x", victim), regular("x/g", b"evil")],
        "whiteout below a link": [symlink("x", victim), regular("x/.wh.f", b"")],
        "opaque mark below a link": [symlink("x", victim), regular("x/.wh..wh..opq", b"")],
        "relative link": [symlink("x", up + victim.lstrip("/")), regular("x/f", b"evil")],
        "link to a link": [symlink("a", "b"), symlink("b", victim), regular("a/f", b"evil")],
        "hard link up": [hard_link("h", up + victim.lstrip("/") + "/f")],
        "hard link to an absolute name": [hard_link("h", f"{victim}/f")],
        "hard link to a link": [symlink("l", f"{victim}/f"), hard_link("h", "l", mode=0o4777)],
        "hard link to a name in the working directory": [hard_link("h", "pyproject.toml")],
        "mode on a link": [
            Entry(path="l", kind=tarfile.SYMTYPE, target=f"{victim}/f", mode=0o4777, uid=7)
        ],
        "directory over a link": [
            symlink("x", victim),
            Entry(path="x", kind=tarfile.DIRTYPE, mode=0o777, uid=7),
            regular("x/g", b"1"),
        ],
        "dots": [regular(f"a/{up}{victim.lstrip('/')}/g", b"evil")],
        "absolute": [regular(f"{victim}/g", b"evil")],
    }


WAYS = tuple(ways_out("/v"))


@pytest.mark.parametrize("way", WAYS)
def test_security_a1_no_name_or_link_leads_out_of_a_layer(place: Place, way: str) -> None:
    entries = ways_out(str(place.victim))[way]
    error = place.refusal(build_layer(entries))
    if error is not None:
        assert error.code() != grpc.StatusCode.INTERNAL, error.details()
    place.check_victim()


def test_security_a1_layers_above_one_with_links_stay_inside(place: Place) -> None:
    below = build_layer([symlink("x", str(place.victim)), symlink("tmp2", "/x")])
    above = [regular("x/g", b"in"), regular("tmp2/.wh.f", b""), regular("x/.wh.f", b"")]
    name = place.pull(below, build_layer(above))
    place.check_victim()
    assert place.run(name, "cat /x/g") == "in\n"


def test_security_a1_hard_link_to_an_absolute_name_of_the_layer_works(place: Place) -> None:
    name = place.pull(build_layer([regular("opt/a", b"same\n"), hard_link("opt/b", "/opt/a")]))
    assert place.run(name, "cat /opt/b; stat -c %h /opt/a") == "same\n2\n"


def test_security_a2_programs_of_an_image_never_run_on_the_host(place: Place) -> None:
    mark = place.node.session.workspace.folder("marks") / secrets.token_hex(4)
    script = f"#!/bin/sh\ntouch {mark}\n".encode()
    names = (
        "xz",
        "gzip",
        "unpigz",
        "zstd",
        "tar",
        "nsenter",
        "mount",
        "umount",
        "newuidmap",
        "crun",
    )
    entries = [
        regular(f"{folder}/{name}", script, mode=0o755)
        for name in names
        for folder in ("usr/bin", "usr/local/bin", "usr/local/sbin")
    ]
    libraries = [
        regular(f"lib/x86_64-linux-gnu/libnss_{n}.so.2", b"\x7fELF") for n in ("files", "x")
    ]
    name = place.pull(build_layer([*entries, *libraries]), layer_of_tar(build_tar()))
    assert place.run(name, "echo ran") == "ran\n"
    assert not mark.exists()


def build_tar() -> bytes:
    """Return a small layer, so that zstd has to be unpacked too."""
    return TarMaker().add("small", b"1").done()


def test_security_a3_many_deep_entries_take_seconds(place: Place) -> None:
    deep = "/".join(["d"] * 1000)
    members = [header(f"e{n}".encode()) for n in range(200_000)]
    maker = TarMaker(tarfile.GNU_FORMAT)
    for n in range(1000):
        maker.add(f"{deep}/{n}")
    tar = maker.raw(b"".join(members)).done()
    begin = cpu_seconds(place.daemon)
    name = place.pull(layer_of_tar(tar))
    used = cpu_seconds(place.daemon) - begin
    assert 0 < used < 60
    assert place.run(name, "ls /d/d/d; ls / | grep -c ^e[0-9]") == "d\n200000\n"


def test_security_a3_bomb_is_refused_and_the_next_pull_works(place: Place) -> None:
    size = 10 << 30
    octal = b"\x80" + size.to_bytes(11, "big")
    zeroes = zstandard.compress(bytes(64 * MEGABYTE), 1) * (size // (64 * MEGABYTE))
    blob = zstandard.compress(header(b"zeroes", size=octal)) + zeroes
    error = place.refusal(Layer(blob=blob, compression="zstd", diff_id=digest_of(b"")))
    assert error is not None
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED, error.details()
    assert "LayerTooLarge" in str(error.details())
    assert not os.listdir(place.daemon.root / "images/staging")
    place.pull(layer_of_tar(build_tar()))


@pytest.mark.parametrize("kind", ["erofs", "squashfs", "qcow2"])
def test_security_a4_layer_that_is_a_file_system_is_refused(place: Place, kind: str) -> None:
    image = publish(Settings(command=("sh",)), [busybox_layer(), layer_of_tar(build_tar())], OCI)
    manifest = json.loads(image.manifests[-1].content)
    manifest["layers"][-1]["mediaType"] = f"application/vnd.example.layer.v1.{kind}"
    lying = Document(media_type=OCI.manifest, content=encode(manifest))
    error: grpc.RpcError | None = None
    try:
        place.pull_image(replace(image, manifests=(lying,), top=lying))
    except grpc.RpcError as refusal:
        error = refusal
    assert error is not None
    assert kind in str(error.details())


def test_security_a4_image_without_layers_is_an_empty_directory(place: Place) -> None:
    name = place.pull_image(publish(Settings(command=("/none",)), []))
    pod = place.node.run()
    error: grpc.RpcError | None = None
    try:
        place.node.client.start(pod.create(ContainerShape(image=name)))
    except grpc.RpcError as refusal:
        error = refusal
    assert error is not None
    assert "layers" not in os.listdir(place.daemon.root / "images/empty")
    assert os.listdir(place.daemon.root / "images/empty") == []


def test_security_a4_attributes_that_steer_overlayfs_are_dropped(place: Place) -> None:
    pax = {
        f"SCHILY.xattr.{space}.overlay.{name}": value
        for space in ("trusted", "user")
        for name, value in {
            "redirect": "/etc",
            "opaque": "y",
            "metacopy": "",
            "whiteout": "y",
        }.items()
    }
    maker = TarMaker().add("etc", type=DIRECTORY, pax=pax).add("d", type=DIRECTORY, pax=pax)
    maker.add("d/f", b"mine\n", pax=pax).add("bin", type=DIRECTORY, pax=pax)
    name = place.pull(layer_of_tar(maker.done()))
    assert place.run(name, "cat /d/f; ls /d; grep -c root /etc/passwd") == "mine\nf\n1\n"
    waiting = [str(place.daemon.root / "images/layers")]
    while waiting:  # by hand, since other tests leave images deeper than os.walk goes
        with os.scandir(waiting.pop()) as found:
            for one in found:
                names = os.listxattr(one.path, follow_symlinks=False)
                steering = {name for name in names if ".overlay." in name}
                assert steering <= {"trusted.overlay.opaque"}, one.path
                if one.is_dir(follow_symlinks=False):
                    waiting.append(one.path)


def test_security_b5_labels_of_an_image_steer_nothing(place: Place) -> None:
    mark = place.node.session.workspace.folder("marks") / secrets.token_hex(4)
    labels = {
        "containerd.io/restart.loguri": f"binary:///usr/bin/touch?{mark}=",
        "containerd.io/restart.status": "running",
        "lading.privileged": "true",
        "io.kubernetes.cri.container-type": "sandbox",
        "run.oci.hooks.stderr": str(mark),
        "org.systemd.property.ExecStart": f"/usr/bin/touch {mark}",
    }
    script = "grep -E 'CapEff|NoNewPrivs|Seccomp:' /proc/1/status"
    plain = place.run(place.pull(layer_of_tar(build_tar())), script)
    settings = Settings(command=("sh",), labels=labels)
    name = place.pull(layer_of_tar(build_tar()), settings=settings)
    assert place.run(name, script) == plain
    pod = place.node.run()
    status = place.node.client.status(pod.started(ContainerShape(image=name)))
    assert not set(labels) & (set(status.labels) | set(status.annotations))
    assert not mark.exists()
    shown = place.node.client.image.ImageStatus(
        api_pb2.ImageStatusRequest(image=api_pb2.ImageSpec(image=name), verbose=True), timeout=20
    )
    assert "containerd.io/restart.loguri" in str(shown.info)


def test_security_c3_secret_is_told_nowhere(place: Place) -> None:
    host = f"sec{secrets.token_hex(4)}.invalid"
    image = publish(Settings(command=("sh",)), [busybox_layer(), layer_of_tar(build_tar())])
    watcher = CommandLines(place.daemon.process.pid)
    rules = place.node.session.registry.rules
    errors = []
    with watcher, counting_registry(rules, host, {"1": image}):
        for tag in ("1", "absent"):
            auth = api_pb2.AuthConfig(username="robot", password=SECRET)
            spec = api_pb2.ImageSpec(image=f"{host}/test/image:{tag}")
            request = api_pb2.PullImageRequest(image=spec, auth=auth)
            try:
                place.node.client.image.PullImage(request, timeout=60)
            except grpc.RpcError as error:
                errors.append(str(error.details()))
    lading = CommandLine(place.node)
    told = [
        *errors,
        *watcher.seen,
        place.daemon.log.read_text(),
        lading("metrics").out,
        lading("image", "inspect", "--json", f"{host}/test/image:1").out,
        lading("operations", "--json").out,
    ]
    assert len(errors) == 1
    for text in told:
        assert SECRET not in text
    for path in kept_files(place.daemon.root, place.daemon.state):
        with suppress(FileNotFoundError):  # what goes away meanwhile keeps nothing
            assert SECRET.encode() not in path.read_bytes(), path


def kept_files(*folders: Path) -> Iterator[Path]:
    """Yield the files below folders that are no content of layers."""
    for top in folders:
        for folder, children, names in os.walk(top):
            children[:] = [name for name in children if name not in ("layers", "rootfs")]
            for path in (Path(folder, name) for name in names):
                if path.is_file() and not path.is_symlink():
                    yield path


class CommandLines:
    """Collects arguments and environments of a process and its children while the block runs."""

    def __init__(self, pid: int) -> None:
        """Take the daemon's process id."""
        self.seen: set[str] = set()
        self._pid = pid
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> None:
        """Begin."""
        self._thread.start()

    def __exit__(self, *error: object) -> None:
        """End."""
        self._done.set()
        self._thread.join(60)

    def _watch(self) -> None:
        while not self._done.wait(0.01):
            for pid in (self._pid, *descendants(self._pid)):
                for name in ("cmdline", "environ"):
                    try:
                        content = Path(f"/proc/{pid}/{name}").read_bytes()
                    except OSError:
                        continue
                    self.seen.add(content.decode(errors="replace"))
