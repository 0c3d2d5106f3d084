"""Streams one blob: counted, hashed, resumed, and from whichever endpoint has it.

Hands out bytes in order and never twice. After a broken transfer it goes on from the byte reached (RFC 9110 section
14); an answer that starts elsewhere is read from its beginning and what is known is skipped. Never writes to disk.
"""

import contextlib
import hashlib
from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

from image.errors import FailedPrecondition, ImageError
from image.model.descriptor import UNKNOWN_SIZE, Descriptor
from image.model.digest import digest_algorithm, digest_hex
from image.model.reference import Reference
from image.protocol.content_range import RangeAnswer, judge_range_answer, range_header
from image.protocol.endpoint_outcome import EndpointFailure, FailureKind, Outcome
from image.protocol.mirror_rules import Endpoint
from image.registry.credential_source import CredentialSource
from image.registry.endpoint_caller import EndpointCaller, blob_url
from image.registry.endpoint_rounds import EndpointRounds, Habits
from image.registry.http_transport import HttpResponse

MISMATCH_REASON = "DigestMismatch"
"""Reason of a mismatch that is final: the registry itself sent other bytes in one piece."""
RESTART_REASON = "DigestMismatchRestart"
"""Reason of a mismatch that another download from byte 0 may cure: several transfers were joined, or a mirror lied."""


class RunningHash(Protocol):
    """A hash of `hashlib` that takes more bytes."""

    @property
    def name(self) -> str:
        """The algorithm, as hashlib names it."""

    def update(self, data: bytes, /) -> None:
        """Add bytes."""

    def hexdigest(self) -> str:
        """Return the digest of all bytes so far."""


class BlobDownload:
    """The transfer of one blob over all its attempts."""

    def __init__(
        self,
        caller: EndpointCaller,
        endpoints: Sequence[Endpoint],
        habits: Habits,
        *,
        reference: Reference,
        blob: Descriptor,
        credentials: CredentialSource,
        offset: int = 0,
        known: RunningHash | None = None,
    ) -> None:
        """Take what is fetched from where; `known` is the hash of the bytes before `offset`."""
        self._caller = caller
        self._reference = reference
        self._blob = blob
        self._credentials = credentials
        self._subject = f"{reference.name}@{blob.digest}"
        self._rounds = EndpointRounds(self._subject, endpoints, habits)
        self._reached = offset
        self._size = blob.size
        self._joined = offset > 0
        # bytes before the offset are not known here: without their hash only the consumer can judge the whole
        self._hash = known
        if known is None and offset == 0:
            self._hash = hashlib.new(digest_algorithm(blob.digest))
        self._ranges_work = True
        self.sources: list[Endpoint] = []
        """Endpoints that bytes came from, in order."""

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """Yield the blob from the offset on; ends only when every byte is there and right.

        Raises:
            FailedPrecondition: wrong digest or size; raised after the last byte.
            ImageError: every endpoint failed; lists them.
        """
        is_complete = 0 < self._size == self._reached
        while not is_complete:
            endpoint = await self._rounds.wait_next()
            pieces = self._attempt(endpoint)
            try:
                async with contextlib.aclosing(pieces):
                    async for piece in pieces:
                        yield piece
                is_complete = True
            except EndpointFailure as failure:
                self._rounds.note_failure(failure.outcome)
                # a connection may break after the last byte, and no range begins there
                is_complete = 0 < self._size == self._reached and failure.outcome.is_retried
        self._verify()

    async def _attempt(self, endpoint: Endpoint) -> AsyncGenerator[bytes, None]:
        """Yield what one answer brings; returns when the blob is complete."""
        start = self._reached if self._ranges_work else 0
        call = self._caller.get(
            endpoint,
            blob_url(endpoint, self._reference, self._blob.digest),
            reference=self._reference,
            credential=await self._credentials.credential_of(endpoint),
            headers=(("Range", range_header(start)),) if start else (),
            accepted=(200, 206, 416) if start else (200,),
        )
        async with call as response:
            position = self._position_of(endpoint, response, start)
            async with contextlib.aclosing(response.chunks()) as chunks:
                async for chunk in chunks:
                    fresh = chunk[max(0, self._reached - position) :]
                    position += len(chunk)
                    if position > self._size != UNKNOWN_SIZE:
                        raise self._wrong_size(endpoint, "it sends more")
                    if fresh:
                        self._take(endpoint, fresh)
                        yield fresh
        if self._size == UNKNOWN_SIZE:
            self._size = position  # the answer had no length, and its end was no break
        if position != self._size:
            raise _failure(endpoint, f"the body ended at byte {position} of {self._size}")

    def _position_of(self, endpoint: Endpoint, response: HttpResponse, start: int) -> int:
        """Tell at which byte of the blob the body begins, and check the length it announces."""
        position = 0
        if start:
            answer = judge_range_answer(
                response.status,
                response.header("Content-Range"),
                offset=start,
                size=self._size,
            )
            if answer is RangeAnswer.UNUSABLE:
                self._ranges_work = False
                raise _failure(endpoint, "answered with another part than was asked for")
            position = start if answer is RangeAnswer.REST else 0
        announced = response.header("Content-Length")
        if announced.isascii() and announced.isdigit():
            total = position + int(announced[:20])
            if self._size == UNKNOWN_SIZE:
                self._size = total
            if total != self._size:
                raise self._wrong_size(endpoint, f"it announces {total}")
        return position

    def _take(self, endpoint: Endpoint, fresh: bytes) -> None:
        if not self.sources or self.sources[-1] is not endpoint:
            self.sources.append(endpoint)
        self._reached += len(fresh)
        if self._hash is not None:
            self._hash.update(fresh)

    def _verify(self) -> None:
        if self._hash is None or self._hash.hexdigest() == digest_hex(self._blob.digest):
            return
        one_transfer = not self._joined and not self._rounds.outcomes
        was_clean = one_transfer and all(e.is_origin for e in self.sources)
        raise FailedPrecondition(
            self._subject,
            f"the bytes received have the {self._hash.name} digest {self._hash.hexdigest()}",
            remedy="the registry or a proxy before it changes content",
            reason=MISMATCH_REASON if was_clean else RESTART_REASON,
            details=tuple(f"bytes came from {e.shown}" for e in dict.fromkeys(self.sources)),
        )

    def _wrong_size(self, endpoint: Endpoint, cause: str) -> EndpointFailure:
        error: ImageError = FailedPrecondition(
            self._subject,
            f"the registry's blob is not of {self._size} bytes: {cause}",
            reason="SizeMismatch",
        )
        return _failure(endpoint, f"wrong size: {cause}", kind=FailureKind.REFUSED, error=error)


def _failure(
    endpoint: Endpoint,
    text: str,
    *,
    kind: FailureKind = FailureKind.UNREACHABLE,
    error: ImageError | None = None,
) -> EndpointFailure:
    return EndpointFailure(Outcome(endpoint=endpoint.shown, kind=kind, text=text, error=error))
