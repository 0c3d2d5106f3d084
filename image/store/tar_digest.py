"""Tell whether a stored tar is the one that a diff id means, although its last block may have been padded.

The kernel reads whole blocks, so a tar whose archiver left out the last padding is stored with it
(`indexed_layer`), and its digest is that of the file without some zeroes at the end. Reads only.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from image.model.digest import digest_algorithm, digest_hex, parse_digest

_BLOCK = 512
_CHUNK = 1 << 20


def is_tar_of(path: Path, diff_id: str) -> bool:
    """Tell whether a file is the tar with this digest, perhaps padded to whole blocks.

    Raises:
        OSError: it cannot be read.
    """
    known = parse_digest(diff_id)
    return digest_hex(known) in tar_digests(path, digest_algorithm(known))


def stored_length(path: Path, diff_id: str) -> int:
    """Return how many bytes of a stored tar its digest is of: all but the padding that the store may have added.

    A tar that ends as POSIX wants (two blocks of zeroes, pax(1)) is taken as it is, without reading it. When no length
    fits, the tar is damaged and all of it is given.

    Raises:
        OSError: it cannot be read.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        stream.seek(max(0, size - 2 * _BLOCK))
        if not any(stream.read()):
            return size
    known = parse_digest(diff_id)
    for padded, found in enumerate(tar_digests(path, digest_algorithm(known))):
        if found == digest_hex(known):
            return size - padded
    return size


def tar_digests(path: Path, algorithm: str) -> Iterator[str]:
    """Yield the digest of a stored tar in hex, then those it had before each padding that is possible.

    Raises:
        OSError: it cannot be read.
    """
    found = hashlib.new(algorithm)
    tail = b""
    with path.open("rb") as stream:
        while piece := stream.read(_CHUNK):
            found.update(tail)
            found.update(memoryview(piece)[:-_BLOCK])
            tail = piece[-_BLOCK:]
    for end in range(len(tail), max(-1, len(tail.rstrip(b"\0")) - 1), -1):
        ended = found.copy()
        ended.update(memoryview(tail)[:end])
        yield ended.hexdigest()
