"""How fast one core of this machine does what a pull cannot do without: inflate, hash, write.

Gives raw rates of the very libraries that the worker uses, on a layer of a big image; measures no contender.
"""

from __future__ import annotations

import hashlib
import io
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import zstandard
from isal import igzip_lib

_CHUNK = 256 * 1024
_BEST_OF = 3


def bounds(registry_data: Path, folder: Path) -> list[str]:
    """Return one line per bound, MB/s of uncompressed bytes where it inflates."""
    lines = []
    sample = b""
    for magic, name, inflate in (
        (b"\x1f\x8b", "inflate gzip", inflate_gzip),
        (b"\x28\xb5\x2f\xfd", "inflate zstd", inflate_zstd),
    ):
        work = partial(inflate, largest_blob(registry_data, magic))
        sample = work()
        lines.append(f"{name}: {rate(len(sample), work)} MB/s a core")
    lines.append(f"sha256: {rate(len(sample), lambda: hashlib.sha256(sample))} MB/s a core")
    target = folder / "bound"
    lines.append(f"write and fsync: {rate(len(sample), lambda: written(target, sample))} MB/s")
    target.unlink()
    return lines


def largest_blob(registry_data: Path, magic: bytes) -> bytes:
    """Return the largest blob that begins so."""
    found = sorted(registry_data.rglob("data"), key=lambda path: -path.stat().st_size)
    for path in found:
        if path.is_file():
            with path.open("rb") as file:
                if file.read(len(magic)) == magic:
                    return path.read_bytes()
    raise RuntimeError(f"no blob in {registry_data} begins with {magic!r}")


def rate(size: int, action: Callable[[], object]) -> int:
    """Return the best of some runs as MB/s."""
    best = min(timed(action) for _ in range(_BEST_OF))
    return round(size / best / 1e6)


def timed(action: Callable[[], object]) -> float:
    """Return how long an action took."""
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def inflate_gzip(blob: bytes) -> bytes:
    """Inflate by ISA-L."""
    member = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
    view, position, pieces = memoryview(blob), 0, []
    while not member.eof:
        feed = b""
        if member.needs_input:
            feed = bytes(view[position : position + _CHUNK])
            position += _CHUNK
        pieces.append(member.decompress(feed, _CHUNK))
    return b"".join(pieces)


def inflate_zstd(blob: bytes) -> bytes:
    """Inflate by libzstd."""
    reader = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(blob), read_size=_CHUNK)
    return b"".join(iter(lambda: reader.read(_CHUNK), b""))


def written(path: Path, content: bytes) -> None:
    """Write a file anew and flush it."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
