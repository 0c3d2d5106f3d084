"""The forms in which registries serve the same layers: OCI and Docker, alone and behind a list, packed one way or another."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Sequence

import zstandard

from image.model.media_types import DOCKER_MANIFEST_LIST, OCI_INDEX
from image.tests.fakes.fake_registry import FakeRegistry, PushedImage, PushedLayer, layer_of

TAG = "v1"
ZSTD_LAYER = "application/vnd.oci.image.layer.v1.tar+zstd"
PLAIN_LAYER = "application/vnd.oci.image.layer.v1.tar"
Push = Callable[[FakeRegistry, str, Sequence[bytes]], PushedImage]


def gzipped(tar: bytes) -> PushedLayer:
    """Pack a layer as most are."""
    return PushedLayer(blob=gzip.compress(tar, 1, mtime=0), tar=tar)


def zstandard_packed(tar: bytes) -> PushedLayer:
    """Pack a layer in two zstd frames, as tools that pack in parallel do."""
    half = len(tar) // 2
    frames = [zstandard.compress(part, 1) for part in (tar[:half], tar[half:])]
    return PushedLayer(blob=b"".join(frames), tar=tar, media_type=ZSTD_LAYER)


def oci(registry: FakeRegistry, name: str, tars: Sequence[bytes]) -> PushedImage:
    """Push an OCI image of gzip layers."""
    return registry.push_image(name, TAG, layers=[gzipped(tar) for tar in tars])


def docker(registry: FakeRegistry, name: str, tars: Sequence[bytes]) -> PushedImage:
    """Push a Docker image."""
    return registry.push_image(name, TAG, layers=[gzipped(tar) for tar in tars], docker=True)


def oci_index(registry: FakeRegistry, name: str, tars: Sequence[bytes]) -> PushedImage:
    """Push an index whose second entry is the image, its layers plain and zstd in turns."""
    layers = [
        PushedLayer(blob=tar, tar=tar, media_type=PLAIN_LAYER) if n % 2 else zstandard_packed(tar)
        for n, tar in enumerate(tars)
    ]
    image = registry.push_image(name, "image", layers=layers)
    _behind_a_list(registry, name, image, OCI_INDEX)
    return image


def docker_list(registry: FakeRegistry, name: str, tars: Sequence[bytes]) -> PushedImage:
    """Push a Docker manifest list whose second entry is the image."""
    layers = [gzipped(tar) for tar in tars]
    image = registry.push_image(name, "image", layers=layers, docker=True)
    _behind_a_list(registry, name, image, DOCKER_MANIFEST_LIST)
    return image


def _behind_a_list(registry: FakeRegistry, name: str, image: PushedImage, media_type: str) -> None:
    other = registry.push_image(name, "other", layers=[layer_of({"wrong": b"machine"})])
    images = [
        (other, {"os": "linux", "architecture": "arm64", "variant": "v8"}),
        (image, {"os": "linux", "architecture": "amd64"}),
    ]
    registry.push_index(name, TAG, images, media_type=media_type)


FORMS: tuple[Push, ...] = (oci, docker, oci_index, docker_list)
