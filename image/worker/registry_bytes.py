"""Bytes of one image's blobs from its registry: when it is this image's turn, and not faster than the node allows.

Promise: each download has a slot of the node's while bytes come, and gives it back however it ends. Keeps nothing.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator

from image.model.descriptor import Descriptor
from image.protocol.byte_budget import ByteBudget
from image.registry.client import RegistryClient
from image.registry.download import RunningHash
from image.registry.resolved_image import ResolvedImage
from image.worker.daemon_door import DaemonDoor


class RegistryBytes:
    """The blobs of one image."""

    def __init__(self, door: DaemonDoor, client: RegistryClient, image: ResolvedImage) -> None:
        self._door = door
        self._client = client
        self._image = image
        self._image_size = sum(max(layer.size, 0) for layer in image.layers)

    async def pieces(
        self, blob: Descriptor, *, offset: int = 0, known: RunningHash | None = None
    ) -> AsyncGenerator[bytes, None]:
        """Fetch a blob from `offset` on; `known` is the hash of what lies before.

        Raises:
            FailedPrecondition: the digest of the whole is another one; told after the last byte.
            ImageError: every endpoint failed.
        """
        async with contextlib.AsyncExitStack() as stack:
            if not offset or offset != blob.size:  # else nothing is fetched, only judged
                await stack.enter_async_context(self._slot(blob))
            budget = ByteBudget(now=time.monotonic())
            stream = self._client.download(self._image, blob, offset=offset, known=known)
            async with contextlib.aclosing(stream) as pieces:
                async for piece in pieces:
                    yield piece
                    rate = self._door.bytes_per_second
                    wait = budget.spend(len(piece), now=time.monotonic(), rate=rate)
                    if wait:
                        await asyncio.sleep(wait)

    @contextlib.asynccontextmanager
    async def _slot(self, blob: Descriptor) -> AsyncGenerator[None, None]:
        self._door.tell_waiting(blob, "a download slot")
        await self._door.ask({"kind": "slot", "size": self._image_size})
        try:
            yield
        finally:
            self._door.tell({"kind": "slot done"})
