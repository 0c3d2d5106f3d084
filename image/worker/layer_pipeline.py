"""One layer from the registry's bytes to a filled tree: download, inflate, hash and extract at the same time.

Promise: the tar that was extracted has the diff id that the config names, or the layer fails; output is counted
against the limit before it is used. The first real cause of a failure is the one told. Runs two threads per layer.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterator

from image.errors import FailedPrecondition, ResourceExhausted
from image.model.digest import Digest, digest_algorithm
from image.store.layer_store import LayerBuilder
from image.store.tar_headers import TarError
from image.store.tar_stream import ByteSource
from image.worker.byte_pipe import BytePipe, PipeAbandonedError
from image.worker.inflate import InflateError, inflated
from image.worker.progress import LayerProgress


class LayerPipeline:
    """The way of one layer; `run` it once."""

    def __init__(
        self,
        subject: str,
        builder: LayerBuilder,
        diff_id: Digest,
        max_bytes: int,
        progress: LayerProgress,
    ) -> None:
        self._subject = subject
        self._builder = builder
        self._diff_id = diff_id
        self._max_bytes = max_bytes
        self._progress = progress
        self._packed = BytePipe()
        self._plain = BytePipe()
        self._refusal: FailedPrecondition | None = None
        self._broken: BaseException | None = None

    async def run(self, download: AsyncIterator[bytes]) -> None:
        """Move everything.

        Raises:
            ImageError: the first failure, of whichever part.
            OSError: the disk is full or broken.
        """
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._feed(download), name="feed")
                group.create_task(asyncio.to_thread(self._guard, self._inflate), name="inflate")
                group.create_task(asyncio.to_thread(self._guard, self._fill), name="fill")
        except BaseExceptionGroup as failures:
            cause = first_cause(failures)
            if isinstance(cause, PipeAbandonedError) and self._broken is not None:
                cause = self._broken  # its task may have been cancelled before it could tell
            raise cause from failures
        finally:
            # Threads outlive their cancelled tasks; abandoned pipes end them.
            self._abandon()
        if self._refusal is not None:
            raise self._refusal

    def _abandon(self) -> None:
        self._packed.abandon()
        self._plain.abandon()

    def _guard(self, work: Callable[[], None]) -> None:
        """Run one thread's part; keep a refusal of the content back until the download has been judged.

        Bytes that a mirror or proxy has changed look like a damaged layer here. Only the digest tells, at the end of
        the download, and then another source may help.
        """
        try:
            work()
        except FailedPrecondition as refusal:
            self._refusal = self._refusal or refusal
            self._abandon()
        except PipeAbandonedError:
            if self._refusal is None:
                raise
        except BaseException as error:
            self._broken = self._broken or error
            self._abandon()
            raise

    async def _feed(self, download: AsyncIterator[bytes]) -> None:
        done = 0
        try:
            async for chunk in download:
                done += len(chunk)
                self._progress.downloaded(done)
                if self._refusal is None:
                    await self._write(chunk)
        except BaseException:
            self._abandon()
            raise
        self._progress.download_complete()
        self._packed.end()

    async def _write(self, chunk: bytes) -> None:
        try:
            await self._packed.write_from_loop(chunk)
        except PipeAbandonedError:
            if self._refusal is None:
                raise

    def _inflate(self) -> None:
        digest = hashlib.new(digest_algorithm(self._diff_id))
        total = 0
        try:
            for chunk in _chunks_of(inflated(self._packed)):
                total += len(chunk)
                if total > self._max_bytes:
                    raise ResourceExhausted(
                        self._subject,
                        f"layer is larger than {self._max_bytes} bytes",
                        remedy="raise max_layer_bytes if the image is trusted",
                        reason="LayerTooLarge",
                    )
                self._plain.write(chunk)
                digest.update(chunk)
                self._progress.extracted(total)
        except InflateError as error:
            raise FailedPrecondition(self._subject, str(error), reason="InvalidLayer") from error
        self._compare(digest.hexdigest())
        self._plain.end()

    def _compare(self, found: str) -> None:
        # Before the pipe is ended: a tree is complete only if its tar was the right one.
        if found != self._diff_id.partition(":")[2]:
            raise FailedPrecondition(
                self._subject,
                "layers from manifest don't match image configuration: unpacked content has"
                f" another digest than {self._diff_id}",
                remedy="push the image again",
                reason="DiffIdMismatch",
            )

    def _fill(self) -> None:
        try:
            self._builder.fill(self._plain)
        except TarError as error:
            raise FailedPrecondition(
                self._subject, f"layer is refused: {error}", reason="InvalidLayer"
            ) from error


def _chunks_of(source: ByteSource) -> Iterator[bytes]:
    while chunk := source.read_chunk():
        yield chunk


def first_cause(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the failure that made the others: not the news that another side had given up."""
    leaves = list(_leaves(failures))
    real = [leaf for leaf in leaves if not isinstance(leaf, PipeAbandonedError)]
    return (real or leaves)[0]


def _leaves(failures: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for failure in failures.exceptions:
        if isinstance(failure, BaseExceptionGroup):
            yield from _leaves(failure)
        else:
            yield failure
