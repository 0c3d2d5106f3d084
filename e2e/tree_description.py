"""Say in plain values what a directory tree is, and have umoci unpack an image to compare with.

Reads trees by path: they were made by the tests themselves.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import subprocess
from collections.abc import Sequence
from pathlib import Path

from image.model.digest import sha256_digest
from image.tests.fakes.fake_registry import PushedImage

Described = tuple[object, ...]


def describe(root: Path) -> dict[bytes, Described]:
    """Return mode, owner, size, links, time, device, attributes and content of every file."""
    top = os.fsencode(root)
    found = {b".": _described(top)}
    for folder, directories, files in os.walk(top):
        for name in directories + files:
            path = os.path.join(folder, name)
            found[os.path.relpath(path, top)] = _described(path)
    return found


def _described(path: bytes) -> Described:
    seen = os.lstat(path)
    xattrs = {
        name: os.getxattr(path, name, follow_symlinks=False)
        for name in sorted(os.listxattr(path, follow_symlinks=False))
        if not name.startswith("trusted.overlay.")
    }
    owner = (oct(seen.st_mode), seen.st_uid, seen.st_gid, tuple(xattrs.items()))
    if stat.S_ISDIR(seen.st_mode):
        return owner  # umoci gives directories that no layer describes the time of its work
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
    contents: Sequence[bytes] = (
        image.config,
        image.manifest,
        *(layer.blob for layer in image.layers),
    )
    for content in contents:
        (blobs / sha256_digest(content).partition(":")[2]).write_bytes(content)
    (layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    entry = {
        "mediaType": image.media_type,
        "digest": image.digest,
        "size": len(image.manifest),
        "annotations": {"org.opencontainers.image.ref.name": "one"},
    }
    (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    command = ["umoci", "unpack", "--image", f"{layout}:one", str(bundle)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return bundle / "rootfs"
