"""Tell whether a stored tar is the one that a diff id means, although its last block may have been padded.

The kernel reads whole blocks, so a tar whose archiver left out the last padding is stored with it
(`indexed_layer`), and its digest is that of the file without some zeroes at the end. Reads only.
"""

import hashlib
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
    wanted = digest_hex(known)
    found = hashlib.new(digest_algorithm(known))
    tail = b""
    with path.open("rb") as stream:
        while piece := stream.read(_CHUNK):
            found.update(tail)
            found.update(memoryview(piece)[:-_BLOCK])
            tail = piece[-_BLOCK:]
    whole = found.copy()
    whole.update(tail)
    if whole.hexdigest() == wanted:
        return True
    return any(_ends_so(found.copy(), tail[:end], wanted) for end in _ends(tail))


def _ends(tail: bytes) -> range:
    """Return the lengths that the last block may have had before it was padded with zeroes."""
    return range(len(tail) - 1, max(0, len(tail.rstrip(b"\0")) - 1), -1)


def _ends_so(digest: "hashlib._Hash", tail: bytes, wanted: str) -> bool:
    digest.update(tail)
    return digest.hexdigest() == wanted
