"""How fast this machine does what a pull cannot do without: inflate, hash both forms, write.

Gives raw rates of the very libraries that the worker uses, on layers of the big images, and from them the least time of
a pull: all cores busy with nothing else, or the disk. Measures no contender.
"""

from __future__ import annotations

import hashlib
import io
import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import zstandard
from isal import igzip_lib

from e2e.bench.big_images import BigImage, layer_blobs
from e2e.images.layer import GZIP
from e2e.registry import Registry
from image.worker.inflate import CHUNK

_BEST_OF = 3


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Bytes per second: of one core's processor time, and of the disk's clock."""

    inflate: dict[str, float]
    """By compression, of the bytes that come out."""
    sha256: float
    write: float

    def said(self) -> str:
        """Return the rates as a sentence."""
        one = ", ".join(f"inflate {name} {rate / 1e6:.0f}" for name, rate in self.inflate.items())
        return (
            f"One core: {one}, sha256 {self.sha256 / 1e6:.0f} MB/s;"
            f" disk: write and fsync {self.write / 1e6:.0f} MB/s."
        )


def measured_rates(samples: dict[str, Path], folder: Path) -> Rates:
    """Measure the rates on one blob of each compression."""
    inflate: dict[str, float] = {}
    plain = b""
    for compression, path in samples.items():
        blob = path.read_bytes()
        work = partial(inflate_gzip if compression == GZIP else inflate_zstd, blob)
        plain = b"".join(work())
        inflate[compression] = len(plain) / best(partial(drain, work), time.process_time)
    target = folder / "bound"
    rates = Rates(
        inflate=inflate,
        sha256=len(plain) / best(lambda: hashlib.sha256(plain), time.process_time),
        write=len(plain) / best(lambda: written(target, plain), time.perf_counter),
    )
    target.unlink()
    return rates


def bound_of(
    image: BigImage, scale: float, rates: Rates, registry: Registry
) -> dict[str, list[float]]:
    """Return the least processor time and the least time of a pull."""
    plain = image.recipe.bytes * scale
    packed = sum(size for _, size in layer_blobs(registry.address, image.reference))
    work = plain / rates.inflate[image.compression] + (plain + packed) / rates.sha256
    least = max(work / (os.cpu_count() or 1), plain / rates.write)
    return {
        f"{image.name}: pull s": [least],
        f"{image.name}: processor s of the pull": [work],
    }


def best(action: Callable[[], object], clock: Callable[[], float]) -> float:
    """Return the least of some runs by a clock."""
    return min(timed(action, clock) for _ in range(_BEST_OF))


def timed(action: Callable[[], object], clock: Callable[[], float]) -> float:
    """Return how long an action took."""
    begin = clock()
    action()
    return clock() - begin


def drain(pieces: Callable[[], Iterator[bytes]]) -> None:
    """Make all pieces and keep none, as a worker does."""
    deque(pieces(), maxlen=0)


def inflate_gzip(blob: bytes) -> Iterator[bytes]:
    """Inflate by ISA-L, piece by piece."""
    member = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
    view, position = memoryview(blob), 0
    while not member.eof:
        feed = b""
        if member.needs_input:
            feed = bytes(view[position : position + CHUNK])
            position += CHUNK
        yield member.decompress(feed, CHUNK)


def inflate_zstd(blob: bytes) -> Iterator[bytes]:
    """Inflate by libzstd, piece by piece."""
    size = CHUNK // 2
    reader = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(blob), read_size=size)
    return iter(lambda: reader.read(size), b"")


def written(path: Path, content: bytes) -> None:
    """Write a file anew and flush it."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
