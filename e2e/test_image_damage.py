"""Damage of stored images is found, named and mended, while containers that have them go on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from cri.api import api_pb2
from e2e.command_line import CommandLine, rows
from e2e.conftest import PEER
from e2e.daemon import Lading
from e2e.images.catalogue import BUSYBOX, NGINX
from e2e.kubelet_requests import ContainerShape
from e2e.node import Node
from e2e.own_node import own_node, store_of, wait_checked, wait_until
from e2e.session import Session
from image.host.mount_calls import mount_points_below, unmount

pytestmark = pytest.mark.skipif(PEER, reason="the peer keeps images elsewhere")


@pytest.fixture(params=["auto", "extract"])
def node(request: pytest.FixtureRequest, session: Session) -> Iterator[Node]:
    """Give a daemon of its own that keeps layers in either way, with an image of two layers."""

    def keep_so(daemon: Lading) -> None:
        daemon.section("image")["layer_store"] = request.param

    with own_node(session, keep_so) as node:
        node.client.pull(BUSYBOX)
        node.client.pull(NGINX)
        yield node


def top_layer(node: Node) -> Path:
    """Return the directory of the layer that only NGINX has."""
    layers = rows(CommandLine(node).json("image", "inspect", NGINX), "layers")
    top = next(one for one in layers if one["images"] == 1)
    return store_of(node) / "layers" / str(top["chain_id"]).partition(":")[2]


def spoil(layer: Path) -> None:
    """Change a byte in the middle of a layer's content, as a failing disk does: times stay."""
    if (layer / "tar").exists():
        path = layer / "tar"
    else:
        files = (path for path in (layer / "root").rglob("*") if path.is_file())
        path = max(files, key=lambda one: one.lstat().st_size)
    before = path.stat()
    with path.open("r+b") as file:
        file.seek(before.st_size // 2)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def content_sum(node: Node, container: str) -> bytes:
    """Return a digest of all that a container's image put below /usr and /bin."""
    script = "find /bin /usr -xdev -type f | sort | xargs md5sum | md5sum"
    return bytes(node.client.exec_sync(container, ["sh", "-c", script], timeout=100).stdout)


def sleeping(name: str) -> ContainerShape:
    """Return a container of NGINX that only sleeps."""
    return ContainerShape(name=name, image=NGINX, command=("sleep", "1000"))


def test_new_containers_get_the_good_copy_and_running_ones_keep_theirs(node: Node) -> None:
    lading, layer = CommandLine(node), top_layer(node)
    pod = node.run()
    running = pod.started(sleeping("running"))
    good = content_sum(node, running)
    spoil(layer)
    found = lading("image", "fsck", code=3).out
    assert "has another" in found
    assert NGINX in found
    assert "/s)" in found
    repaired = lading("image", "fsck", "--repair").out
    assert f"repaired {NGINX}" in repaired
    assert lading("image", "fsck").out.startswith("ok: ")
    kept = store_of(node) / "replaced"
    assert len(os.listdir(kept)) == 1
    node.restart(crash=True)
    assert len(os.listdir(kept)) == 1
    assert node.client.exec_sync(running, ["echo", "ok"]).stdout == b"ok\n"
    assert content_sum(node, pod.started(sleeping("new"))) == good
    pod.remove()
    wait_until(lambda: not os.listdir(kept))
    assert lading("image", "prune").out


def test_content_written_before_a_crash_is_checked_and_taken_out(node: Node) -> None:
    layer = top_layer(node)
    node.daemon.kill()
    for place in mount_points_below(layer):
        unmount(place)
    spoil(layer)
    node.daemon.start()

    def gone() -> bool:
        images = node.client.image.ListImages(api_pb2.ListImagesRequest(), timeout=30).images
        return [one.repo_tags[0] for one in images] == [BUSYBOX]

    wait_until(gone)
    wait_checked(node)
    assert isinstance(node.daemon, Lading)
    log = node.daemon.log.read_text()
    assert f"of {NGINX} is damaged: its" in log
    node.client.pull(NGINX)
    pod = node.run()
    assert content_sum(node, pod.started(sleeping("main")))
    pod.remove()
    checked = log.count("the last stop was not clean")
    node.restart(crash=False)
    node.restart(crash=False)
    assert node.daemon.log.read_text().count("the last stop was not clean") == checked


def test_a_damaged_index_is_made_again_when_it_is_needed(node: Node) -> None:
    layer = top_layer(node)
    index = layer / "index"
    if not index.exists():
        pytest.skip("extracted layers have no index")
    good = index.read_bytes()
    node.daemon.stop()
    for damage in (b"\0" * 4096, good[:1024] + b"\xff" * 64 + good[1088:], b""):
        index.write_bytes(damage + good[len(damage) :])
        node.daemon.start()
        pod = node.run()
        assert content_sum(node, pod.started(sleeping("main")))
        pod.remove()
        assert index.read_bytes() == good
        node.daemon.stop()
    node.daemon.start()
    index.write_bytes(bytes(len(good)))
    lading = CommandLine(node)
    assert "its index has another digest" in lading("image", "fsck", code=3).out
    assert f"repaired {NGINX}" in lading("image", "fsck", "--repair").out
    assert index.read_bytes() == good
