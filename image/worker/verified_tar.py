"""The tar that a blob holds: inflated, counted against the limit, hashed as it passes, and judged at its end.

Promise: who has read to the end without an error has read the tar that the image's config names, and never more of it
than the limit allows. Blocks as its source does; keeps one piece.
"""

import hashlib
from collections.abc import Callable

from image.errors import FailedPrecondition, ResourceExhausted
from image.model.digest import Digest, digest_algorithm
from image.store.tar_stream import ByteSource
from image.worker.inflate import InflateError, inflated


class VerifiedTar:
    """A source of a layer's plain bytes."""

    def __init__(
        self,
        subject: str,
        packed: ByteSource,
        diff_id: Digest,
        *,
        max_bytes: int,
        note: Callable[[int], None],
    ) -> None:
        """Take the blob and what is known of it; `note` is told how many plain bytes there were so far."""
        self._subject = subject
        self._packed = packed
        self._plain: ByteSource | None = None
        self._diff_id = diff_id
        self._hash = hashlib.new(digest_algorithm(diff_id))
        self._max_bytes = max_bytes
        self._note = note
        self._total = 0

    def read_chunk(self) -> bytes:
        """Return the next bytes, none at the end.

        Raises:
            FailedPrecondition: the blob is damaged, or holds another tar.
            ResourceExhausted: it is larger than the limit.
        """
        try:
            if self._plain is None:
                self._plain = inflated(self._packed)
            chunk = self._plain.read_chunk()
        except InflateError as error:
            raise FailedPrecondition(self._subject, str(error), reason="InvalidLayer") from error
        if not chunk:
            self._compare()
            return chunk
        self._total += len(chunk)
        if self._total > self._max_bytes:
            raise ResourceExhausted(
                self._subject,
                f"layer is larger than {self._max_bytes} bytes",
                remedy="raise max_layer_bytes if the image is trusted",
                reason="LayerTooLarge",
            )
        self._hash.update(chunk)
        self._note(self._total)
        return chunk

    def _compare(self) -> None:
        if self._hash.hexdigest() != self._diff_id.partition(":")[2]:
            raise FailedPrecondition(
                self._subject,
                "layers from manifest don't match image configuration: unpacked content has"
                f" another digest than {self._diff_id}",
                remedy="push the image again",
                reason="DiffIdMismatch",
            )
