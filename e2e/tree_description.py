"""Say in plain values what a directory tree is, and have umoci unpack an image to compare with.

Reads trees by path: they were made by the tests themselves.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import stat
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path

from e2e.image_forms import gzipped
from image.model.digest import sha256_digest
from image.model.media_types import OCI_MANIFEST
from image.tests.fakes.fake_registry import PushedImage
from image.tests.fakes.fake_registry.content import manifest_of

Described = tuple[object, ...]


def describe(root: Path, timed: frozenset[bytes] = frozenset()) -> dict[bytes, Described]:
    """Return mode, owner, size, links, time, device, attributes and content of every file.

    Of directories only those in `timed` have their time told: umoci gives others the time of its work.
    """
    top = os.fsencode(root)
    found = {b".": _described(top, timed=b"." in timed)}
    for folder, directories, files in os.walk(top):
        for name in directories + files:
            path = os.path.join(folder, name)
            below = os.path.relpath(path, top)
            found[below] = _described(path, timed=below in timed)
    return found


def described_directories(tars: Sequence[bytes]) -> frozenset[bytes]:
    """Return the directories that a layer describes and no layer above it changes without describing them.

    There umoci leaves the time of its work, and overlayfs shows what the layer below says.
    """
    found: set[bytes] = set()
    for content in tars:
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            members = [(os.path.normpath(os.fsencode(one.name)), one.isdir()) for one in archive]
        found -= {above for name, _ in members for above in ancestors(name)}
        found |= {name for name, is_directory in members if is_directory}
    return frozenset(found)


def ancestors(name: bytes) -> set[bytes]:
    """Return the directories above a name, the root as a dot."""
    parts = name.split(b"/")
    return {b"."} | {b"/".join(parts[:end]) for end in range(1, len(parts))}


def _described(path: bytes, *, timed: bool) -> Described:
    seen = os.lstat(path)
    xattrs = {
        name: os.getxattr(path, name, follow_symlinks=False)
        for name in sorted(os.listxattr(path, follow_symlinks=False))
        if not name.startswith("trusted.overlay.")
    }
    owner = (oct(seen.st_mode), seen.st_uid, seen.st_gid, tuple(xattrs.items()))
    if stat.S_ISDIR(seen.st_mode):
        return (*owner, seen.st_mtime_ns if timed else 0)
    content: object = None
    if stat.S_ISLNK(seen.st_mode):
        content = os.readlink(path)
    elif stat.S_ISREG(seen.st_mode):
        with open(path, "rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
    device = seen.st_rdev if stat.S_ISCHR(seen.st_mode) or stat.S_ISBLK(seen.st_mode) else 0
    return (*owner, seen.st_size, seen.st_nlink, seen.st_mtime_ns, device, content)


def differences(
    ours: dict[bytes, Described], theirs: dict[bytes, Described]
) -> list[tuple[bytes, Described | None, Described | None]]:
    """Return what is not the same, with both sides."""
    return [
        (path, ours.get(path), theirs.get(path))
        for path in sorted(ours.keys() | theirs.keys())
        if ours.get(path) != theirs.get(path)
    ]


def tar_extract(image: PushedImage, folder: Path) -> Path:
    """Return what GNU tar makes of an image of one layer; umoci does not know GNU's sparse files."""
    target = folder / "extracted"
    target.mkdir()
    (layer,) = image.layers
    command = ["tar", "-x", "-p", "--numeric-owner", "-C", str(target)]
    subprocess.run(command, input=layer.tar, check=True)
    return target


def umoci_unpack(image: PushedImage, folder: Path) -> Path:
    """Write an OCI layout of an image and return the root directory that umoci makes of it."""
    layout, bundle = folder / "layout", folder / "bundle"
    blobs = layout / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    # umoci knows neither Docker's media types nor zstd: it gets the same tars as an OCI image of gzip layers.
    packed = [gzipped(layer.tar) for layer in image.layers]
    manifest = manifest_of(image.config, packed)
    for content in (image.config, manifest, *(layer.blob for layer in packed)):
        (blobs / sha256_digest(content).partition(":")[2]).write_bytes(content)
    (layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    entry = {
        "mediaType": OCI_MANIFEST,
        "digest": sha256_digest(manifest),
        "size": len(manifest),
        "annotations": {"org.opencontainers.image.ref.name": "one"},
    }
    (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    command = ["umoci", "unpack", "--image", f"{layout}:one", str(bundle)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return bundle / "rootfs"
