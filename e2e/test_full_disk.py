"""A full disk below the images, at many points of a pull, an import, a container and a change of names.

The refusal is clear, what was there stays whole and usable, removal works with no byte free, and afterwards all is well.
"""

from __future__ import annotations

import json
import os
import random
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import grpc
import pytest

from cri.api import api_pb2
from e2e.command_line import CommandLine
from e2e.conftest import PEER
from e2e.counting_registry import CountingServer, counting_registry
from e2e.daemon import Lading, lading_command
from e2e.images.image import PublishedImage, Settings, publish
from e2e.images.layer import PLAIN, build_layer, digest_of, regular
from e2e.kubelet_requests import ContainerShape
from e2e.leftovers import remove_pod_cgroups, take_snapshot, wait_clean
from e2e.made_images import busybox_layer
from e2e.node import Node
from e2e.own_node import wait_checked
from e2e.session import Session
from e2e.store_state import StoreState, damaged, store_state
from e2e.tool_paths import system_tool

pytestmark = pytest.mark.skipif(PEER, reason="the peer fills its disk in its own way")

KIBIBYTE, MEBIBYTE = 1 << 10, 1 << 20
DISK = 56 * MEBIBYTE
ROOMS = tuple(
    int(size * KIBIBYTE)
    for size in (0, 4, 16, 64, 200, 500, 1000, 2000, 3000, 4500, 6000, 8000, 10000, 12000, 14000)
)
"""Bytes left free, from nothing to nearly enough."""
BLOCK = 4096


@contextmanager
def small_disk(session: Session) -> Iterator[Path]:
    """Give an ext4 file system of its own: on a tmpfs layers could not be mounted."""
    name = f"full-{secrets.token_hex(3)}"
    image = session.workspace.folder("disks") / name
    with image.open("wb") as file:
        file.truncate(DISK)
    command = [str(system_tool("mkfs.ext4")), "-q", "-m", "0", "-O", "^has_journal", str(image)]
    subprocess.run(command, check=True)
    place = session.workspace.folder(name)
    subprocess.run(["mount", "-o", "loop", image, place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)
        image.unlink()


def free_bytes(folder: Path) -> int:
    """Return what is free on the disk."""
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize


@contextmanager
def only(folder: Path, room: int) -> Iterator[None]:
    """Leave so many bytes free, or a block less, while the block runs."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        size, step = 0, max(0, free_bytes(folder) - room)
        while step >= BLOCK:
            try:
                os.posix_fallocate(file.fileno(), size, step)
                size += step
            except OSError:
                step //= 2
            step = min(step, max(0, free_bytes(folder) - room))
    try:
        yield
    finally:
        ballast.unlink()


@cache
def image_of(mark: str, megabytes: int) -> PublishedImage:
    """Return busybox with a large layer, one of many files, and a small one."""
    chance = random.Random(mark)
    many = [regular(f"many/{n}", chance.randbytes(chance.randrange(3000))) for n in range(600)]
    layers = [
        build_layer([regular("large", chance.randbytes(megabytes * MEBIBYTE))], PLAIN),
        build_layer(many),
        build_layer([regular(f"mark-{mark}", mark.encode())]),
    ]
    return publish(Settings(command=("sh",)), [busybox_layer(), *layers])


@dataclass
class Site:
    """A node whose root lies on a small disk, and its registry."""

    node: Node
    disk: Path
    registry: CountingServer
    host: str
    kept: PublishedImage
    wanted: PublishedImage

    @property
    def daemon(self) -> Lading:
        """The daemon."""
        assert isinstance(self.node.daemon, Lading)
        return self.node.daemon

    def name(self, tag: str) -> str:
        """Return a reference."""
        return f"{self.host}/test/image:{tag}"

    def remove(self, reference: str) -> None:
        """Remove an image or a name."""
        spec = api_pb2.ImageSpec(image=reference)
        self.node.client.image.RemoveImage(api_pb2.RemoveImageRequest(image=spec), timeout=60)

    def listed(self) -> set[str]:
        """Return the ids of all images."""
        answer = self.node.client.image.ListImages(api_pb2.ListImagesRequest(), timeout=20)
        return {image.id for image in answer.images}

    def check_kept(self) -> None:
        """What was there is whole."""
        assert self.kept.config_digest in self.listed()
        assert damaged(self.daemon) == []

    def use_kept(self) -> None:
        """What was there can be run."""
        pod = self.node.run()
        container = pod.started(ContainerShape(image=self.name("kept")))
        said = self.node.client.exec_sync(container, ["cat", "/mark-kept"])
        assert said.stdout == b"kept"
        pod.remove()
        remove_pod_cgroups(self.node.session.workspace)


@pytest.fixture(params=["auto", "extract"])
def site(request: pytest.FixtureRequest, session: Session) -> Iterator[Site]:
    """Give a node with one image on a small disk; afterwards nothing may be left."""
    places = (session.workspace, session.network)
    before = take_snapshot(*places)
    host = f"full{secrets.token_hex(3)}.invalid"
    kept, wanted = image_of("kept", 3), image_of("wanted", 6)
    images = {"kept": kept, "wanted": wanted}
    rules = session.registry.rules
    with small_disk(session) as disk, counting_registry(rules, host, images) as registry:
        daemon = Lading(*places, rules, instance=f"full-{secrets.token_hex(3)}", root=disk / "root")
        daemon.section("image")["layer_store"] = request.param
        daemon.start()
        client = daemon.client()
        site = Site(Node(session, daemon, client), disk, registry, host, kept, wanted)
        try:
            client.pull(site.name("kept"))
            yield site
            client.remove_everything()
            remove_pod_cgroups(session.workspace)
        finally:
            client.close()
            daemon.stop()
    assert wait_clean(before, *places, client.seen_ids) == []


def wait_until(holds: Callable[[], bool]) -> None:
    """Poll for what is done behind a call: content of removed images is deleted there."""
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_as_before(site: Site, before: StoreState) -> bool:
    """Tell whether nothing was left in the store."""
    now = store_state(site.daemon.root)
    return not now.files - {"reserve"} - before.files and now.rows == before.rows


def refused_as_full(call: Callable[[], object]) -> bool:
    """Make a call that may succeed; if it is refused, then as a full disk."""
    refusal: grpc.RpcError | None = None
    try:
        call()
    except grpc.RpcError as error:
        refusal = error
    if refusal is None:
        return False
    assert refusal.code() == grpc.StatusCode.RESOURCE_EXHAUSTED, refusal.details()
    assert "DiskFull" in str(refusal.details())
    return True


def test_pull_is_refused_clearly_wherever_the_disk_fills(site: Site) -> None:
    before = store_state(site.daemon.root)
    refusals = 0
    for room in ROOMS:
        with only(site.disk, room):
            refusals += refused_as_full(lambda: site.node.client.pull(site.name("wanted")))
            site.check_kept()
            site.remove(site.wanted.config_digest)
        wait_until(partial(is_as_before, site, before))
    assert refusals > len(ROOMS) // 2
    site.use_kept()
    assert site.node.client.pull(site.name("wanted")) == site.wanted.config_digest
    site.check_kept()


def write_layout(folder: Path, image: PublishedImage, name: str) -> None:
    """Write an image as an OCI layout."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    contents = [*image.blobs.values(), *(one.content for one in (*image.manifests, image.top))]
    for content in contents:
        (blobs / digest_of(content).partition(":")[2]).write_bytes(content)
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    entry = {
        "mediaType": image.top.media_type,
        "digest": image.top.digest,
        "size": len(image.top.content),
        "annotations": {"io.containerd.image.name": name},
    }
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))


def test_import_is_refused_clearly_wherever_the_disk_fills(site: Site) -> None:
    lading = CommandLine(site.node)
    archive = site.node.session.workspace.folder("archives") / site.host
    write_layout(archive, site.wanted, site.name("wanted"))
    before = store_state(site.daemon.root)
    for room in ROOMS[::3]:
        with only(site.disk, room):
            done = subprocess.run(
                [*lading_command(), "image", "import", str(archive)],
                capture_output=True,
                text=True,
                check=False,
                env=lading.environment,
                cwd=Path(__file__).parent.parent,
                timeout=120,
            )
            if done.returncode != 0:
                assert "disk is full" in done.stderr, done.stderr
            else:
                assert room == ROOMS[::3][-1], f"{room} bytes are not enough"
            site.check_kept()
            site.remove(site.wanted.config_digest)
        wait_until(partial(is_as_before, site, before))
    assert "imported 2 images" in lading("image", "import", str(archive)).out


def test_containers_are_refused_clearly_and_removed_on_a_full_disk(site: Site) -> None:
    pod = site.node.run()
    shape = ContainerShape(name="before", image=site.name("kept"))
    old = pod.started(shape)
    for number, room in enumerate(ROOMS[:6]):
        with only(site.disk, room):
            shape = ContainerShape(name=f"c{number}", image=site.name("kept"))
            refused_as_full(partial(pod.started, shape))
            site.check_kept()
            assert site.node.client.exec_sync(old, ["cat", "/mark-kept"]).stdout == b"kept"
    with only(site.disk, 0):
        pod.remove()
    site.use_kept()


def test_names_are_given_or_not_on_a_full_disk(site: Site) -> None:
    lading = CommandLine(site.node)
    with only(site.disk, 0):
        for number in range(40):
            done = subprocess.run(
                [*lading_command(), "image", "tag", site.name("kept"), f"local.test/n{number}:1"],
                capture_output=True,
                text=True,
                check=False,
                env=lading.environment,
                cwd=Path(__file__).parent.parent,
                timeout=60,
            )
            if done.returncode != 0:
                assert "disk is full" in done.stderr
                break
        site.check_kept()
        site.daemon.restart(crash=True)
        site.check_kept()
    site.use_kept()


@pytest.mark.parametrize("crash", [False, True], ids=["running", "restarted"])
def test_removal_works_with_no_byte_free(site: Site, crash: bool) -> None:
    with_kept = store_state(site.daemon.root)
    site.node.client.pull(site.name("wanted"))
    for image in (site.wanted, site.kept):
        with only(site.disk, 0):
            assert free_bytes(site.disk) < BLOCK
            if crash:
                site.daemon.restart(crash=True)
                assert image.config_digest in site.listed()
            site.remove(image.config_digest)
            assert image.config_digest not in site.listed()
            wait_until(lambda: free_bytes(site.disk) > 3 * MEBIBYTE)
        # What is still being deleted would make room on the disk that is filled next.
        if image is site.wanted:
            wait_until(partial(is_as_before, site, with_kept))
            wait_checked(site.node)
    wait_until(lambda: store_state(site.daemon.root).rows == (0, 0, 0, 0, 0))
    for tag, image in (("kept", site.kept), ("wanted", site.wanted)):
        assert site.node.client.pull(site.name(tag)) == image.config_digest
    site.use_kept()
