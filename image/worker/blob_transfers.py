"""The downloads of one pull: begun while the config is still on its way (pull rule 1.12), or when a layer is wanted.

Promise: a blob is fetched by one pull of the node at a time (its flight), into a file that outlives this process, and
begins with what that file holds. A flight waits for no layer and no other flight, only for a download slot and the
network. A failure is kept for whoever wants the blob, so that it never hides one of the config.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterable
from collections.abc import Set as AbstractSet
from pathlib import Path

from image.errors import FailedPrecondition
from image.model.descriptor import Descriptor
from image.registry.download import MISMATCH_REASON, RESTART_REASON
from image.worker.blob_transfer import BlobTransfer
from image.worker.daemon_door import DaemonDoor
from image.worker.partial_file import open_partial
from image.worker.registry_bytes import RegistryBytes


class _Running:
    """A transfer and the task that writes it."""

    def __init__(self, transfer: BlobTransfer, task: asyncio.Task[None]) -> None:
        self.transfer = transfer
        self._task = task

    def stop(self) -> None:
        self._task.cancel()
        self.transfer.close()


class BlobTransfers:
    """The transfers of one pull; their tasks live in `group`, the files in `directory` (none: nothing is kept)."""

    def __init__(
        self,
        group: asyncio.TaskGroup,
        door: DaemonDoor,
        source: RegistryBytes,
        directory: Path | None,
    ) -> None:
        self._group = group
        self._door = door
        self._source = source
        self._directory = directory
        self._running: dict[str, _Running] = {}

    def begin(self, blobs: Iterable[Descriptor]) -> None:
        """Start to fetch blobs before anybody takes them; does nothing where they could not be kept."""
        for blob in blobs:
            if self._directory is not None and blob.size > 0 and blob.digest not in self._running:
                self._running[blob.digest] = self._start(blob, self._directory)

    async def take(self, blob: Descriptor) -> AsyncGenerator[bytes, None]:
        """Stream a blob from its beginning, whether it was begun early or not.

        Raises:
            FailedPrecondition: after the last byte: its digest is another one.
            ImageError: as the download does.
        """
        known, reached = None, 0
        if self._directory is not None and blob.size > 0:
            running = self._running.pop(blob.digest, None) or self._start(blob, self._directory)
            try:
                async with contextlib.aclosing(running.transfer.pieces()) as pieces:
                    async for piece in pieces:
                        yield piece
            finally:
                running.stop()
            known, reached = running.transfer.hash, running.transfer.reached
            if reached == blob.size:
                return
        # It cannot be kept, or not any longer: go on without a file.
        rest = self._source.pieces(blob, offset=reached, known=known)
        async with contextlib.aclosing(rest) as pieces:
            async for piece in pieces:
                yield piece

    def keep_only(self, digests: AbstractSet[str]) -> None:
        """Stop what was begun early and is not wanted."""
        for digest in self._running.keys() - digests:
            self._running.pop(digest).stop()

    def _start(self, blob: Descriptor, directory: Path) -> _Running:
        transfer = BlobTransfer(blob)
        work = self._run(blob, directory, transfer)
        return _Running(transfer, self._group.create_task(work, name=f"fetch {blob.digest}"))

    async def _run(self, blob: Descriptor, directory: Path, transfer: BlobTransfer) -> None:
        try:
            self._door.tell_waiting(blob, "its turn with this blob")
            await self._door.ask({"kind": "flight", "blob": blob.digest})
            try:
                await self._carry(blob, directory, transfer)
            finally:
                self._door.tell({"kind": "flight done", "blob": blob.digest})
        except Exception as error:  # noqa: BLE001 - it is raised again where the blob is wanted
            transfer.end(error)
        else:
            transfer.end()

    async def _carry(self, blob: Descriptor, directory: Path, transfer: BlobTransfer) -> None:
        """Bring the blob into its file; stop where that takes no more."""
        file = open_partial(directory, blob)
        if file is None:
            return
        try:
            await transfer.read_back(file)
            if transfer.reached:
                self._door.tell({"kind": "resumed", "bytes": transfer.reached})
            rest = self._source.pieces(blob, offset=transfer.reached, known=transfer.hash)
            async with contextlib.aclosing(rest) as pieces:
                async for piece in pieces:
                    if not transfer.put(piece):
                        return
        except FailedPrecondition as error:
            if error.reason in (MISMATCH_REASON, RESTART_REASON):
                transfer.discard()
            raise
