"""Read archives of images: an OCI layout in a tar, or what `docker save` writes. Hostile input, read in the worker alone.

Promise: nothing is unpacked: members are found once and read in place, by name, within limits; links lead to other
members and nowhere else. What an archive says of digests is checked by whoever reads the content.
"""

import os
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from image.errors import FailedPrecondition, InvalidArgument
from image.model.descriptor import Descriptor
from image.model.digest import Digest, digest_hex
from image.model.json_document import JsonObject, parse_json_object
from image.model.manifest import MAX_MANIFEST_BYTES, Index, parse_manifest
from image.model.media_types import manifest_kind
from image.model.reference import Reference, parse_bare_name, parse_reference
from image.store.image_export import REMADE
from image.store.indexed_layer import StoredTar
from image.store.tar_headers import TarError
from image.store.tar_stream import Kind, TarStream

MAX_MEMBERS = 200_000
MAX_IMAGES = 1000
_CHUNK = 1 << 20
_NAME_KEYS = ("io.containerd.image.name", "org.opencontainers.image.ref.name")


@dataclass(frozen=True, kw_only=True, slots=True)
class ArchiveEntry:
    """One image of an archive."""

    names: tuple[str, ...]
    """As the archive has them: whole references, or bare tags."""
    descriptor: Descriptor | None = None
    """Of an OCI layout: manifest or index."""
    is_remade: bool = False
    """Whether the archive says that no registry has its manifest."""
    config: str = ""
    """Of a docker archive: the member that is the config."""
    layers: tuple[str, ...] = ()
    """Of a docker archive: the members that are layers, bottom first."""


class ImageArchive:
    """One open archive; close it. Every method blocks on the disk."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._places: dict[str, tuple[int, int]] = {}
        self._links: dict[str, str] = {}
        try:
            self._scan()
        except TarError as error:
            os.close(self._fd)
            raise _refused(f"is no tar that can be read: {error}") from error
        except BaseException:
            os.close(self._fd)
            raise

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)

    def entries(self) -> tuple[ArchiveEntry, ...]:
        """List the images.

        Raises:
            FailedPrecondition: it is no archive of images.
        """
        if self._find("index.json") is not None and self._find("oci-layout") is not None:
            found = self._oci_entries()
        elif self._find("manifest.json") is not None:
            found = self._docker_entries()
        else:
            raise _refused("has neither index.json with oci-layout nor manifest.json")
        if len(found) > MAX_IMAGES:
            raise _refused(f"has more than {MAX_IMAGES} images")
        return found

    def blob(self, digest: Digest) -> str:
        """Return the member that holds a blob of an OCI layout."""
        return f"blobs/{digest.partition(':')[0]}/{digest_hex(digest)}"

    def has(self, digest: Digest) -> bool:
        """Tell whether a blob of an OCI layout is there."""
        return self._find(self.blob(digest)) is not None

    def size(self, name: str) -> int:
        """Return the size of a member.

        Raises:
            FailedPrecondition: it is not there.
        """
        return self._place(name)[1]

    def read(self, name: str, limit: int) -> bytes:
        """Return a small member whole.

        Raises:
            FailedPrecondition: it is not there, or larger than the limit.
        """
        if self.size(name) > limit:
            raise _refused(f"member {name[:200]!r} is larger than {limit} bytes")
        return b"".join(self.pieces(name))

    def pieces(self, name: str, offset: int = 0) -> Iterator[bytes]:
        """Yield the bytes of a member from an offset on.

        Raises:
            FailedPrecondition: it is not there, or the file ends in it.
        """
        begin, size = self._place(name)
        while offset < size:
            piece = os.pread(self._fd, min(_CHUNK, size - offset), begin + offset)
            if not piece:
                raise _refused(f"ends inside member {name[:200]!r}")
            offset += len(piece)
            yield piece

    def _scan(self) -> None:
        stream = TarStream(StoredTar(self._fd))
        for entry in stream:
            if len(self._places) + len(self._links) >= MAX_MEMBERS:
                raise _refused(f"has more than {MAX_MEMBERS} members")
            name = _clean(entry.name)
            if entry.kind is Kind.FILE and entry.segments is None:
                self._places[name] = (stream.offset, entry.size)
            elif entry.kind is Kind.HARD_LINK:
                self._links[name] = _clean(entry.link)
            elif entry.kind is Kind.SYMLINK:
                self._links[name] = _clean(os.path.join(os.path.dirname(entry.name), entry.link))

    def _find(self, name: str) -> tuple[int, int] | None:
        for _ in range(8):  # old docker versions link layers to each other
            if name in self._places:
                return self._places[name]
            if name not in self._links:
                return None
            name = self._links[name]
        return None

    def _place(self, name: str) -> tuple[int, int]:
        found = self._find(name)
        if found is None:
            raise _refused(f"lacks the member {name[:200]!r}")
        return found

    def _oci_entries(self) -> tuple[ArchiveEntry, ...]:
        raw = self.read("index.json", MAX_MANIFEST_BYTES)
        index = parse_manifest(raw, subject="index.json of the archive")
        if not isinstance(index, Index):
            raise _refused("has an index.json that is no index")
        return tuple(
            ArchiveEntry(
                names=_names(one),
                descriptor=one,
                is_remade=dict(one.annotations).get(REMADE) == "true",
            )
            for one in index.manifests
            if manifest_kind(one.media_type)
        )

    def _docker_entries(self) -> tuple[ArchiveEntry, ...]:
        raw = b'{"images":' + self.read("manifest.json", MAX_MANIFEST_BYTES) + b"}"
        document = parse_json_object(
            raw, subject="manifest.json of the archive", max_bytes=MAX_MANIFEST_BYTES + 16
        )
        return tuple(_docker_entry(one) for one in document.children("images"))


def references_of(entry: ArchiveEntry, repository: str) -> tuple[Reference, ...]:
    """Return the names that an image gets; bare tags, and images without name, belong to `repository`.

    Raises:
        InvalidArgument: it has no name, and no repository is given.
    """
    base = parse_bare_name(repository) if repository else None
    found = []
    for name in entry.names:
        if "/" in name or ":" in name:
            found.append(parse_reference(name))
        elif base is not None:
            found.append(base.with_tag(name))
    if not found and base is not None:
        found.append(base)
    if not found:
        raise InvalidArgument(
            f"image {', '.join(entry.names) or 'without name'} of the archive",
            "has no repository name",
            remedy="give one with --name registry.example/app",
            reason="NameMissing",
        )
    return tuple(dict.fromkeys(found))


def _docker_entry(one: JsonObject) -> ArchiveEntry:
    return ArchiveEntry(
        names=one.texts("RepoTags"),
        config=_clean(one.text("Config").encode()),
        layers=tuple(_clean(name.encode()) for name in one.texts("Layers")),
    )


def _names(descriptor: Descriptor) -> tuple[str, ...]:
    found = dict(descriptor.annotations)
    return tuple(found[key] for key in _NAME_KEYS if found.get(key))[:1]


def _clean(name: bytes) -> str:
    """Return a member's name in its one form: names are keys here and never paths of the host."""
    return posixpath.normpath("/" + name.decode("latin-1")).lstrip("/")


def _refused(cause: str) -> FailedPrecondition:
    return FailedPrecondition(
        "image archive",
        cause,
        remedy="make it with 'docker save', 'skopeo copy' or 'lading image export'",
        reason="InvalidArchive",
    )
