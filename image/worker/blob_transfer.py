"""One blob between the download that brings it and the layer that is made from it.

Promise: bytes are handed out once, in order, from a bounded window in memory, or from the file where the reader has
fallen behind; so a download never waits for a layer. One writer, one reader, both on the event loop.
"""

import asyncio
import hashlib
from collections import deque
from collections.abc import AsyncGenerator

from image.errors import FailedPrecondition
from image.model.descriptor import Descriptor
from image.model.digest import digest_algorithm
from image.registry.download import RESTART_REASON
from image.worker.partial_file import PartialFile

PIECE = 256 * 1024
_WINDOW = 16 * PIECE
"""Bytes in memory for a reader that keeps up."""


class BlobTransfer:
    """The bytes of one blob so far."""

    def __init__(self, blob: Descriptor) -> None:
        self._blob = blob
        self.hash = hashlib.new(digest_algorithm(blob.digest))
        """Over all bytes so far; whoever brings a piece adds it before."""
        self.reached = 0
        """Bytes that have come."""
        self._file: PartialFile | None = None
        self._recent: deque[bytes] = deque()
        self._recent_from = 0
        self._ended = False
        self._error: Exception | None = None
        self._grown = asyncio.Event()

    async def read_back(self, file: PartialFile) -> None:
        """Begin with what a file holds; from now on it takes what comes."""
        self._file = file
        while self.reached < file.length:
            # the file's pages may be on the disk alone
            piece = await asyncio.to_thread(self._read_hashed, file, self.reached)
            self._note(piece)

    def _read_hashed(self, file: PartialFile, position: int) -> bytes:
        piece = file.read(position, PIECE)
        if not piece:
            raise self._lost()
        self.hash.update(piece)
        return piece

    def put(self, piece: bytes) -> bool:
        """Take a piece from the network; False when no more can be kept, and the writer must stop."""
        kept = self._file is not None and self._file.append(piece)
        self._note(piece, in_file=kept)
        return kept

    def _note(self, piece: bytes, *, in_file: bool = True) -> None:
        self._recent.append(piece)
        self.reached += len(piece)
        while in_file and self.reached - self._recent_from > _WINDOW:
            self._recent_from += len(self._recent.popleft())
        self._grown.set()

    def end(self, error: Exception | None = None) -> None:
        """Say that no more comes: all is here, or the writer has stopped, or failed."""
        self._ended = True
        self._error = error
        self._grown.set()

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Yield all bytes up to where the writer stops.

        Raises:
            Exception: the writer's own.
            FailedPrecondition: bytes are gone from the file; a download from byte 0 helps.
        """
        position = 0
        while True:
            if self._error is not None:
                raise self._error
            if position < self._recent_from:
                piece = await self._read_file(position)
            elif self._recent:
                piece = self._recent.popleft()
                self._recent_from += len(piece)
            elif self._ended:
                return
            else:
                self._grown.clear()
                await self._grown.wait()
                continue
            position += len(piece)
            yield piece

    async def _read_file(self, position: int) -> bytes:
        assert self._file is not None
        size = min(PIECE, self._recent_from - position)
        piece = await asyncio.to_thread(self._file.read, position, size)
        if not piece:
            raise self._lost()
        return piece

    def _lost(self) -> FailedPrecondition:
        return FailedPrecondition(
            self._blob.digest, "lost bytes that had been kept", reason=RESTART_REASON
        )

    def discard(self) -> None:
        """Delete the file: its bytes are wrong."""
        if self._file is not None:
            self._file.discard()

    def close(self) -> None:
        """Let go of the file; nothing is read afterwards."""
        if self._file is not None:
            self._file.close()
