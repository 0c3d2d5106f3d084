"""Names, ids and digests of images by CRI, and what goes with which of them: also while containers use it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from cri.api import api_pb2
from e2e.command_line import CommandLine
from e2e.conftest import PEER
from e2e.daemon import Lading
from e2e.images.catalogue import BUSYBOX, NGINX
from e2e.kubelet_requests import ContainerShape
from e2e.node import Node
from e2e.own_node import own_node, store_of, wait_until
from e2e.session import Session

pytestmark = pytest.mark.skipif(PEER, reason="the peer removes all names by each")

OTHER = "local.test/other:9"


@pytest.fixture(params=["auto", "extract"])
def node(request: pytest.FixtureRequest, session: Session) -> Iterator[Node]:
    """Give a daemon of its own that keeps layers in either way."""

    def keep_so(daemon: Lading) -> None:
        daemon.section("image")["layer_store"] = request.param
        daemon.section("image")["pinned_images"] = ["local.test/*"]

    with own_node(session, keep_so) as node:
        yield node


def status(node: Node, text: str) -> api_pb2.Image | None:
    """Ask for an image by anything."""
    request = api_pb2.ImageStatusRequest(image=api_pb2.ImageSpec(image=text))
    answer = node.client.image.ImageStatus(request, timeout=30)
    return answer.image if answer.HasField("image") else None


def remove(node: Node, text: str) -> None:
    """Remove an image by anything; a refusal fails the test."""
    request = api_pb2.RemoveImageRequest(image=api_pb2.ImageSpec(image=text))
    node.client.image.RemoveImage(request, timeout=60)


def images(node: Node) -> list[api_pb2.Image]:
    """List all images."""
    return list(node.client.image.ListImages(api_pb2.ListImagesRequest(), timeout=30).images)


def layers(node: Node) -> int:
    """Count the layers on the disk, those that were set aside included, when what was removed is gone."""
    wait_until(lambda: not any((store_of(node) / "staging").iterdir()))
    return sum(len(list((store_of(node) / place).iterdir())) for place in ("layers", "replaced"))


def test_one_image_is_one_whatever_it_is_called(node: Node) -> None:
    image_id = node.client.pull(BUSYBOX)
    CommandLine(node)("image", "tag", BUSYBOX, OTHER)
    (image,) = images(node)
    assert image.id == image_id
    assert list(image.repo_tags) == [OTHER, BUSYBOX]
    digest = image.repo_digests[0]
    assert digest.startswith(BUSYBOX.rpartition(":")[0] + "@sha256:")
    digits = image_id.removeprefix("sha256:")
    by_both = f"{BUSYBOX}@{digest.partition('@')[2]}"
    for text in (BUSYBOX, OTHER, digest, by_both, image_id, digits, digits[:12]):
        assert status(node, text) == image, text
    assert image.pinned
    assert image.size > 0
    assert node.client.pull(digest) == image_id
    pod = node.run()
    container = node.client.status(pod.started(ContainerShape(image=digits)))
    assert container.image_id == image_id
    pod.remove()


def test_a_name_goes_alone_and_an_id_takes_all_names(node: Node) -> None:
    image_id = node.client.pull(BUSYBOX)
    lading = CommandLine(node)
    lading("image", "tag", BUSYBOX, OTHER)
    remove(node, BUSYBOX)
    assert status(node, BUSYBOX) is None
    left = status(node, image_id)
    assert left is not None
    assert list(left.repo_tags) == [OTHER]
    assert node.client.pull(BUSYBOX) == image_id
    remove(node, image_id)
    assert images(node) == []
    assert layers(node) == 0


def test_what_is_absent_is_removed_already(node: Node) -> None:
    image_id = node.client.pull(BUSYBOX)
    for text in (
        "none.test/x:1",
        f"none.test/x@sha256:{'0' * 64}",
        "0" * 64,
        f"sha256:{'0' * 64}",
        "0000000",
        "no reference at all!",
        f"{BUSYBOX}-other",
        "x" * 5000,
    ):
        remove(node, text)
    assert [one.id for one in images(node)] == [image_id]

    def one_of_five(number: int) -> bool:
        remove(node, image_id)
        return status(node, image_id) is None

    with ThreadPoolExecutor(5) as threads:
        assert all(threads.map(one_of_five, range(5)))
    assert images(node) == []


def test_content_stays_until_the_last_container_is_gone(node: Node) -> None:
    node.client.pull(BUSYBOX)
    image_id = node.client.pull(NGINX)
    pod = node.run()
    shape = ContainerShape(name="one", image=NGINX, command=("sleep", "1000"))
    one = pod.started(shape)
    two = pod.create(ContainerShape(name="two", image=image_id, command=("sleep", "1000")))
    remove(node, image_id)
    remove(node, BUSYBOX)
    assert images(node) == []
    assert node.client.exec_sync(one, ["ls", "/usr"]).exit_code == 0
    node.restart(crash=True)
    node.client.start(two)
    assert node.client.exec_sync(two, ["ls", "/usr"]).exit_code == 0
    assert node.client.status(one).image_id == image_id
    kept = layers(node)
    assert kept > 0
    assert node.client.pull(NGINX) == image_id
    assert layers(node) == kept  # nothing of it was made again
    remove(node, NGINX)
    for container in (one, two):
        assert layers(node) == kept
        node.client.stop(container)
        node.client.remove(container)
    assert layers(node) == 0
    pod.remove()


def test_an_operator_is_told_what_keeps_an_image_and_may_insist(node: Node) -> None:
    lading = CommandLine(node)
    node.client.pull(BUSYBOX)
    lading("image", "tag", BUSYBOX, OTHER)
    assert "image.pinned_images" in lading("image", "rm", OTHER, code=7).err
    pod = node.run()
    container = pod.started()
    image_id = lading.json("image", "inspect", BUSYBOX)["id"]
    refused = lading("image", "rm", str(image_id), code=7)
    assert lading.json("image", "prune")["removed"] == []
    assert pod.shape.name in refused.err
    assert len(images(node)) == 1
    lading("image", "rm", "--force", str(image_id))
    assert images(node) == []
    assert node.client.exec_sync(container, ["echo", "ok"]).stdout == b"ok\n"
    pod.remove()
    assert layers(node) == 0
