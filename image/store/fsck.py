"""Look for damage in the store: manifests and configs by their digests, layers by theirs. Reads only; repairs nothing.

A layer kept as a tar is hashed whole against the digest that its image's config names, its index against the one that
was written down. An extracted one has no digest any more: every file is held against the list that was made with it.
Every function blocks for as long as the disk takes; call them in a thread, one item at a time.
"""

import hashlib
import json
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from image.model.digest import digest_algorithm, digest_hex, parse_digest
from image.model.records import ImageRecord
from image.store.disk_report import DiskReport
from image.store.indexed_layer import INDEX, KIND, TAR
from image.store.lower_view import RECORD, ROOT
from image.store.tar_digest import is_tar_of
from image.store.tree_record import CONTENT, tree_damage

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Damage:
    """What is wrong with something."""

    cause: str
    """In a few words."""
    is_of_index: bool = False
    """Whether it is a layer's index alone, which can be made again: its tar is whole."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """One thing to look at."""

    kind: str
    """`manifest`, `config` or `layer`."""
    digest: str
    """Its own digest; of a layer its chain id."""
    size_bytes: int
    path: Path
    images: tuple[str, ...]
    """Ids of the images that have it."""
    expected: str = ""
    """Of a layer: the diff id that its tar must have."""
    layer_kind: str = ""


def items_of(root: Path, images: Iterable[ImageRecord], report: DiskReport) -> tuple[Item, ...]:
    """List everything that the images need, each once, small things first."""
    owners: dict[str, list[str]] = {}
    layers: dict[str, str] = {}
    records = tuple(images)
    for record in records:
        for digest in (record.manifest_digest, record.id):
            owners.setdefault(digest, []).append(record.id)
        for layer in record.layers:
            owners.setdefault(layer.chain_id, []).append(record.id)
            layers[layer.chain_id] = layer.diff_id
    manifests = {record.manifest_digest for record in records}
    blobs = [
        _blob(root, digest, "manifest" if digest in manifests else "config", owners[digest])
        for digest in owners
        if digest not in layers
    ]
    found = [_layer(root, one, layers[one], owners[one], report) for one in layers]
    return (*blobs, *sorted(found, key=lambda item: item.size_bytes))


def damage_of(item: Item) -> Damage | None:
    """Return what is wrong with an item, None when nothing is."""
    try:
        if item.kind == "layer" and item.layer_kind == KIND:
            return _tar_damage(item)
        wrong = (
            _tree_damage(item) if item.kind == "layer" else _wrong_digest(item.path, item.digest)
        )
    except FileNotFoundError as error:
        wrong = f"{_name(error, item)} is missing"
    except OSError as error:
        wrong = f"{_name(error, item)} cannot be read: {error.strerror}"
    except (ValueError, AttributeError):
        wrong = "its record cannot be read"
    return Damage(wrong) if wrong else None


def _blob(root: Path, digest: str, kind: str, images: list[str]) -> Item:
    path = root / "blobs" / digest.partition(":")[0] / digest_hex(parse_digest(digest))
    return Item(kind=kind, digest=digest, size_bytes=0, path=path, images=_once(images))


def _layer(root: Path, chain_id: str, diff_id: str, images: list[str], report: DiskReport) -> Item:
    kept = report.layers.get(chain_id)
    return Item(
        kind="layer",
        digest=chain_id,
        size_bytes=kept.used_bytes if kept else 0,
        path=root / "layers" / digest_hex(parse_digest(chain_id)),
        images=_once(images),
        expected=diff_id,
        layer_kind=kept.kind if kept else "",
    )


def _once(images: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(images))


def _tar_damage(item: Item) -> Damage | None:
    if not is_tar_of(item.path / TAR, item.expected):
        return Damage("its tar has another digest than it must")
    wrong = _index_damage(item)
    return Damage(f"its index {wrong}", is_of_index=True) if wrong else None


def _index_damage(item: Item) -> str:
    path = item.path / INDEX
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            return "is no file"
    except FileNotFoundError:
        return "is missing"
    recorded: str = json.loads((item.path / RECORD).read_bytes()).get("index_sha256", "")
    return _wrong_digest(path, f"sha256:{recorded}") if recorded else ""


def _tree_damage(item: Item) -> str:
    """Hold the tree against its list; one from before there were lists is walked: what cannot be read is found."""
    if (item.path / CONTENT).exists():
        return tree_damage(item.path / ROOT, item.path / CONTENT)
    for _, _, files, fd in os.fwalk(item.path / ROOT, onerror=_raise):
        for name in files:
            os.stat(name, dir_fd=fd, follow_symlinks=False)
    return ""


def _raise(error: OSError) -> None:
    raise error


def _wrong_digest(path: Path, digest: str) -> str:
    known = parse_digest(digest)
    found = hashlib.new(digest_algorithm(known))
    with path.open("rb") as stream:
        while piece := stream.read(_CHUNK):
            found.update(piece)
    return "" if found.hexdigest() == digest_hex(known) else "has another digest than it must"


def _name(error: OSError, item: Item) -> str:
    name = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else ""
    return os.path.relpath(name, item.path.parent) if name.startswith("/") else item.kind
