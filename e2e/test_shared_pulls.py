"""Many who ask at once: fifty pods for one image, ten images that share layers; every byte is fetched once."""

from __future__ import annotations

import json
import random
import secrets
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from cri.api import api_pb2
from e2e.counting_registry import CountingServer, counting_registry
from e2e.cri_client import connected
from e2e.images.image import PublishedImage, Settings, publish
from e2e.images.layer import PLAIN, build_layer, regular
from e2e.made_images import busybox_layer
from e2e.node import Node

MEGABYTE = 1 << 20
PODS = 50
RATE = 30 * MEGABYTE
"""Slow enough that all have asked before the first layer is whole."""


def random_layer(size: int) -> bytes:
    """Return bytes that no other test has."""
    return random.Random(secrets.token_bytes(8)).randbytes(size)


def pull_at_once(address: str, names: Sequence[str]) -> list[str]:
    """Pull each name on a connection of its own, all at the same moment; return the ids."""
    together = threading.Barrier(len(names))

    def pull(name: str) -> str:
        with connected(address) as client:
            client.version(timeout=60)
            together.wait(120)
            return client.pull(name)

    with ThreadPoolExecutor(len(names)) as pool:
        return list(pool.map(pull, names))


def remove(node: Node, image_ids: set[str]) -> None:
    """Remove images by id."""
    for image_id in image_ids:
        spec = api_pb2.ImageSpec(image=image_id)
        node.client.image.RemoveImage(api_pb2.RemoveImageRequest(image=spec), timeout=60)


def check_each_once(registry: CountingServer, images: Sequence[PublishedImage]) -> None:
    """Every layer and config went out once and whole; what is no node's business not at all."""
    decoys = {digest for image in images for digest in decoy_of(image)}
    wanted = {
        digest: len(content)
        for image in images
        for digest, content in image.blobs.items()
        if digest not in decoys
    }
    known = {busybox_layer().digest}  # the node has it already
    assert registry.wait_accounts(60)
    assert dict(registry.sent) == {d: size for d, size in wanted.items() if d not in known}


def decoy_of(image: PublishedImage) -> set[str]:
    """Return the blobs of the entry for another architecture."""
    decoy = json.loads(image.manifests[0].content)
    return {decoy["config"]["digest"], *(layer["digest"] for layer in decoy["layers"])}


def test_image_that_fifty_pods_want_is_fetched_once(node: Node) -> None:
    host = f"fifty{secrets.token_hex(3)}.invalid"
    layers = [build_layer([regular("large", random_layer(12 * MEGABYTE))], PLAIN)]
    layers += [build_layer([regular(f"f{n}", random_layer(MEGABYTE))]) for n in range(3)]
    image = publish(Settings(command=("sh",)), [busybox_layer(), *layers])
    rules = node.session.registry.rules
    with counting_registry(rules, host, {"1": image}, bytes_per_second=RATE) as registry:
        ids = pull_at_once(node.daemon.address, [f"{host}/test/image:1"] * PODS)
        assert set(ids) == {image.config_digest}
        check_each_once(registry, [image])
        asked = {what: times for what, times in registry.asked.items() if what.startswith("GET")}
        assert max(asked.values()) == 1, asked
    remove(node, set(ids))


def test_layers_that_ten_images_share_are_fetched_once(node: Node) -> None:
    host = f"ten{secrets.token_hex(3)}.invalid"
    shared = [
        build_layer([regular(f"shared{n}", random_layer(6 * MEGABYTE))], PLAIN) for n in range(3)
    ]
    own = [build_layer([regular(f"own{n}", random_layer(MEGABYTE))]) for n in range(10)]
    images = {
        f"t{n}": publish(Settings(command=("sh",)), [busybox_layer(), *shared, own[n]])
        for n in range(10)
    }
    rules = node.session.registry.rules
    with counting_registry(rules, host, images, bytes_per_second=RATE) as registry:
        names = [f"{host}/test/image:{tag}" for tag in images]
        ids = pull_at_once(node.daemon.address, names)
        assert ids == [image.config_digest for image in images.values()]
        check_each_once(registry, list(images.values()))
    remove(node, set(ids))
