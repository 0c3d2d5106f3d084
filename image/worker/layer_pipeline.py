"""One layer from the registry's bytes to a filled tree: download, inflate, hash and extract at the same time.

Promise: the tar that was extracted has the diff id that the config names, or the layer fails (`verified_tar`). The first
real cause of a failure is the one told. Runs one thread per layer, or two that overlap.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator

from image.errors import FailedPrecondition
from image.model.digest import Digest
from image.store.layer_store import LayerBuilder
from image.store.tar_headers import TarError
from image.worker.byte_pipe import BytePipe, PipeAbandonedError
from image.worker.progress import LayerProgress
from image.worker.verified_tar import VerifiedTar


class LayerPipeline:
    """The way of one layer; `run` it once."""

    def __init__(
        self,
        subject: str,
        builder: LayerBuilder,
        diff_id: Digest,
        max_bytes: int,
        progress: LayerProgress,
        *,
        overlaps: bool = True,
    ) -> None:
        """Take what is to be made; `overlaps`: inflate and fill in two threads.

        One thread takes less work, as bytes are hashed and written where they were made; two are faster where
        processors have nothing else to do.
        """
        self._subject = subject
        self._builder = builder
        self._progress = progress
        self._overlaps = overlaps
        self._packed = BytePipe()
        self._plain = BytePipe()
        self._tar = VerifiedTar(
            subject, self._packed, diff_id, max_bytes=max_bytes, note=progress.extracted
        )
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
                group.create_task(asyncio.to_thread(self._guard, self._fill), name="fill")
                if self._overlaps:
                    group.create_task(asyncio.to_thread(self._guard, self._inflate), name="inflate")
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
        while chunk := self._tar.read_chunk():
            self._plain.write(chunk)
        # Only here: a tree is complete only if its tar was the right one.
        self._plain.end()

    def _fill(self) -> None:
        try:
            self._builder.fill(self._plain if self._overlaps else self._tar)
        except TarError as error:
            raise FailedPrecondition(
                self._subject, f"layer is refused: {error}", reason="InvalidLayer"
            ) from error


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
