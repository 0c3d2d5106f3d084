"""Images made for one test: busybox with further files and settings, pulled from a registry of their own.

The image is told apart from every other by a random file, and is removed when the block ends; containers that
still have it keep its layers until they go.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache

from cri.api import api_pb2
from e2e.images.cache import load_images
from e2e.images.catalogue import BUSYBOX
from e2e.images.image import PublishedImage, Settings, publish
from e2e.images.layer import GZIP, Entry, Layer, build_layer, regular
from e2e.lying_registry import REFERENCE, honest_answers, lying_registry
from e2e.node import Node

SHELL = Settings(command=("sh",))


@cache
def busybox_layer() -> Layer:
    """Return the layer of the usual image, from the cache of all images."""
    image = next(named.image for named in load_images() if BUSYBOX in named.references)
    manifest = json.loads(image.manifests[-1].content)
    config = json.loads(image.blobs[manifest["config"]["digest"]])
    return Layer(
        blob=image.blobs[manifest["layers"][0]["digest"]],
        compression=GZIP,
        diff_id=config["rootfs"]["diff_ids"][0],
    )


def image_of(
    entries: Iterable[Entry] = (), settings: Settings = SHELL, *layers: Layer
) -> PublishedImage:
    """Return busybox with the entries in a layer above it, then the given layers."""
    mark = regular(f"mark-{secrets.token_hex(4)}", b"")
    return publish(settings, [busybox_layer(), build_layer([mark, *entries]), *layers])


@contextmanager
def made_image(
    node: Node, entries: Iterable[Entry] = (), settings: Settings = SHELL, *layers: Layer
) -> Iterator[str]:
    """Give the name of an image that is on the node while the block runs."""
    image = image_of(entries, settings, *layers)
    with lying_registry(node.session.registry.rules, honest_answers(image)):
        node.client.pull(REFERENCE)
    try:
        yield REFERENCE
    finally:
        spec = api_pb2.ImageSpec(image=image.config_digest)
        node.client.image.RemoveImage(api_pb2.RemoveImageRequest(image=spec), timeout=60)
