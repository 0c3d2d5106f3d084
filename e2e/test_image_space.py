"""What images and writable layers are said to take is what du(1) finds, and what removal promises comes back."""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cri.api import api_pb2
from e2e.command_line import CommandLine
from e2e.conftest import PEER
from e2e.daemon import Lading
from e2e.images.catalogue import BUSYBOX, NGINX
from e2e.images.layer import regular
from e2e.made_images import made_image
from e2e.node import Node
from e2e.own_node import own_node, store_of, wait_until
from e2e.session import Session
from image.host.mount_calls import mount_points_below

pytestmark = pytest.mark.skipif(PEER, reason="the peer keeps images elsewhere")


def du(place: Path) -> int:
    """Return what du(1) says of a directory, in bytes, with the directories that mounts cover."""
    done = subprocess.run(["du", "-sxB1", str(place)], capture_output=True, check=True)
    return int(done.stdout.split()[0]) + 4096 * len(mount_points_below(place))


def du_of_content(node: Node) -> int:
    """Return what du(1) says of a store without its database, in one look: what is written there has its own time."""
    store = store_of(node)
    words = ["du", "-sxB1", "--exclude=images.db*", "--exclude=reserve", str(store)]
    done = subprocess.run(words, capture_output=True, check=True)
    return int(done.stdout.split()[0]) + 4096 * len(mount_points_below(store))


def filesystems(node: Node) -> api_pb2.ImageFsInfoResponse:
    """Ask for the space of images and containers."""
    answer: api_pb2.ImageFsInfoResponse = node.client.image.ImageFsInfo(
        api_pb2.ImageFsInfoRequest(), timeout=30
    )
    return answer


def images(node: Node) -> list[api_pb2.Image]:
    """List all images."""
    return list(node.client.image.ListImages(api_pb2.ListImagesRequest(), timeout=30).images)


@pytest.mark.parametrize("way", ["auto", "extract"])
def test_sizes_are_those_of_du(session: Session, way: str) -> None:
    def keep_so(daemon: Lading) -> None:
        daemon.section("image")["layer_store"] = way

    with own_node(session, keep_so) as node:
        node.client.pull(BUSYBOX)
        empty = [regular(f"dir{number}/empty", b"") for number in range(400)]
        with made_image(node, [*empty, regular("large", os.urandom(3_000_000))]):
            node.client.pull(NGINX)
            (told,) = filesystems(node).image_filesystems
            real = du(store_of(node))
            assert told.fs_id.mountpoint == str(store_of(node))
            assert abs(told.used_bytes.value - real) <= real / 100
            found = len(set(inodes_below(store_of(node))))
            assert abs(told.inodes_used.value - found) <= max(2, found / 100), found
            # busybox is below each of the three, so it is in each one's size and in the store once.
            by_tag = {one.repo_tags[0]: one.size for one in images(node)}
            shared = by_tag[BUSYBOX]
            alone = sum(by_tag.values()) - (len(by_tag) - 1) * shared
            overhead = du_of_files(store_of(node))
            assert abs(alone + overhead - real) <= real / 50


def inodes_below(place: Path) -> Iterator[tuple[int, int]]:
    """Yield the inode of everything below a directory, itself included, but not what is in mounted layers."""
    mounted = {str(one) for one in mount_points_below(place)}
    for folder, folders, files in os.walk(place):
        for name in (".", *folders, *files):
            found = os.lstat(f"{folder}/{name}")
            yield found.st_dev, found.st_ino
        folders[:] = [one for one in folders if f"{folder}/{one}" not in mounted]


def du_of_files(place: Path) -> int:
    """Return what lies directly in the store: database and reserve."""
    return sum(path.lstat().st_blocks * 512 for path in place.iterdir() if path.is_file())


@pytest.mark.parametrize("way", ["auto", "extract"])
def test_prune_gives_back_what_its_dry_run_says(session: Session, way: str) -> None:
    def keep_so(daemon: Lading) -> None:
        daemon.section("image")["layer_store"] = way

    with own_node(session, keep_so) as node:
        lading = CommandLine(node)
        node.client.pull(BUSYBOX)
        node.client.pull(NGINX)
        with made_image(node, [regular("large", os.urandom(2_000_000))]):
            pod = node.run()
            pod.started()
            before = du_of_content(node)
            dry = lading.json("image", "prune", "--dry-run")
            assert du_of_content(node) == before
            done = lading.json("image", "prune")
            wait_until(lambda: not any((store_of(node) / "staging").iterdir()))
            after = du_of_content(node)
            assert dry["removed"] == done["removed"]
            assert dry["freed_bytes"] == done["freed_bytes"] == before - after > 2_000_000
            assert [one.repo_tags[0] for one in images(node)] == [BUSYBOX]
            pod.remove()


def test_writable_layers_can_have_a_disk_of_their_own(session: Session) -> None:
    disk = session.workspace.memory_folder(f"disk-{secrets.token_hex(3)}")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(disk)], check=True)
    try:
        with own_node(
            session, lambda one: one.section("runtime").update(containers_root=str(disk))
        ) as node:
            node.client.pull(BUSYBOX)
            pod = node.run()
            container = pod.shell("dd if=/dev/zero of=/big bs=1M count=5; echo done; sleep 1000")
            place = disk / "containers" / container / "upper/big"
            wait_until(lambda: place.exists() and place.stat().st_size == 5 << 20)
            wait_until(lambda: told_of_containers(node)[1] >= 5 << 20)
            mountpoint, used = told_of_containers(node)
            assert mountpoint == str(disk / "containers")
            assert abs(used - du(disk / "containers")) <= used / 100
            assert filesystems(node).image_filesystems[0].fs_id.mountpoint != mountpoint
            pod.remove()
            assert os.listdir(disk / "containers") == []
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def told_of_containers(node: Node) -> tuple[str, int]:
    """Return mount point and used bytes of the writable layers."""
    (told,) = filesystems(node).container_filesystems
    return told.fs_id.mountpoint, told.used_bytes.value


def test_a_place_that_cannot_hold_writable_layers_makes_the_node_not_ready(
    session: Session,
) -> None:
    disk = session.workspace.memory_folder(f"bad-{secrets.token_hex(3)}")
    for name in ("lower", "upper", "work", "over"):
        (disk / name).mkdir()
    options = f"lowerdir={disk}/lower,upperdir={disk}/upper,workdir={disk}/work"
    over = str(disk / "over")
    subprocess.run(["mount", "-t", "overlay", "-o", options, "overlay", over], check=True)
    try:
        with own_node(
            session, lambda one: one.section("runtime").update(containers_root=over)
        ) as node:
            answer = node.client.runtime.Status(api_pb2.StatusRequest(), timeout=30)
            ready = next(one for one in answer.status.conditions if one.type == "RuntimeReady")
            assert (ready.status, ready.reason) == (False, "ContainersRootUnusable")
    finally:
        subprocess.run(["umount", "-l", over], check=True)
