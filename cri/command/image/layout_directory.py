"""An exported tar as an OCI layout directory: written piece by piece, complete only with its last file.

Promise: files appear below the directory alone, whatever the archive's members are called.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from image.store.tar_headers import TarError
from image.store.tar_stream import Kind, TarStream

_NAME = re.compile(rb"oci-layout|index\.json|manifest\.json|blobs/[a-z0-9]+/[a-f0-9]+")
_LATE = ("index.json", "manifest.json")
"""Half a layout is none without its index, so these come last."""


class _Pieces:
    """An answer's pieces as a source, and how many bytes they were."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self.total = 0

    def read_chunk(self) -> bytes:
        piece = next(self._pieces, b"")
        self.total += len(piece)
        return piece


def write_layout(top: Path, pieces: Iterator[bytes]) -> int:
    """Write an archive's members as files, and return how many bytes came.

    Raises:
        TarError: the archive is of another form.
        OSError: a file cannot be written.
    """
    source = _Pieces(pieces)
    stream = TarStream(source)
    late: dict[str, bytes] = {}
    for entry in stream:
        if entry.kind is not Kind.FILE or not _NAME.fullmatch(entry.name):
            raise TarError("the daemon sent an archive of another form")
        name = entry.name.decode("ascii")
        if name in _LATE:
            late[name] = b"".join(stream.pieces())
            continue
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as target:
            for piece in stream.pieces():
                target.write(piece)
    stream.drain()
    top.mkdir(parents=True, exist_ok=True)
    for name, content in late.items():
        (top / name).write_bytes(content)
    return source.total
