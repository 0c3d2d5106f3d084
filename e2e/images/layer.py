"""Write the tar of one image layer, byte for byte the same for the same entries.

Never reads the file system: whoever wants a host file in a layer passes its bytes.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass

import zstandard

GZIP = "gzip"
ZSTD = "zstd"
PLAIN = "none"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One member of a layer; the kind is a tarfile type flag."""

    path: str
    kind: bytes = tarfile.REGTYPE
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    content: bytes = b""
    target: str = ""
    device: tuple[int, int] = (0, 0)


def directory(path: str, mode: int = 0o755, uid: int = 0, gid: int = 0) -> Entry:
    """Return a directory entry."""
    return Entry(path=path, kind=tarfile.DIRTYPE, mode=mode, uid=uid, gid=gid)


def regular(path: str, content: bytes, mode: int = 0o644, uid: int = 0, gid: int = 0) -> Entry:
    """Return a regular file."""
    return Entry(path=path, mode=mode, uid=uid, gid=gid, content=content)


def symlink(path: str, target: str) -> Entry:
    """Return a symbolic link."""
    return Entry(path=path, kind=tarfile.SYMTYPE, mode=0o777, target=target)


def hard_link(path: str, target: str, mode: int = 0o755) -> Entry:
    """Return a hard link to an earlier entry; unpacking sets the mode again, so it must be equal."""
    return Entry(path=path, kind=tarfile.LNKTYPE, target=target, mode=mode)


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A compressed layer: its bytes, how they are compressed, and the digest of the plain tar."""

    blob: bytes
    compression: str
    diff_id: str

    @property
    def digest(self) -> str:
        """The digest of the bytes as stored."""
        return digest_of(self.blob)


def digest_of(content: bytes) -> str:
    """Return the sha256 digest in the OCI form."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def tar_bytes(entries: Iterable[Entry]) -> bytes:
    """Return the uncompressed tar of the entries, in their order, with all times zero."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for entry in entries:
            member = tarfile.TarInfo(entry.path)
            member.type = entry.kind
            member.mode, member.uid, member.gid = entry.mode, entry.uid, entry.gid
            member.linkname = entry.target
            member.devmajor, member.devminor = entry.device
            member.size = len(entry.content) if entry.kind == tarfile.REGTYPE else 0
            archive.addfile(member, io.BytesIO(entry.content))
    return buffer.getvalue()


def compress(content: bytes, compression: str) -> bytes:
    """Compress with a fixed level and no time stamp, so that equal input gives equal output."""
    if compression == GZIP:
        return gzip.compress(content, compresslevel=4, mtime=0)
    if compression == ZSTD:
        return zstandard.ZstdCompressor(level=3).compress(content)
    if compression == PLAIN:
        return content
    raise ValueError(f"unknown layer compression {compression!r}; use gzip, zstd or none")


def build_layer(entries: Iterable[Entry], compression: str = GZIP) -> Layer:
    """Return the layer made of the entries."""
    plain = tar_bytes(entries)
    return Layer(
        blob=compress(plain, compression), compression=compression, diff_id=digest_of(plain)
    )
