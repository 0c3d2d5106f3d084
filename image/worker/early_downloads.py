"""Layers that are fetched while the config is still on its way (pull rule 1.12).

Promise: a bounded part of each is read ahead; a failure is kept for whoever wants the layer, so that it never hides a
failure of the config. What turns out not to be wanted is dropped.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable

from image.model.descriptor import Descriptor

_AHEAD = 16
"""Pieces of up to 256 KiB that are read ahead of each layer."""

Open = Callable[[Descriptor], AsyncGenerator[bytes, None]]


class EarlyDownloads:
    """The early downloads of one pull; their tasks live in `group`."""

    def __init__(self, group: asyncio.TaskGroup, open_blob: Open) -> None:
        self._group = group
        self._open = open_blob
        self._running: dict[str, tuple[asyncio.Task[None], asyncio.Queue[_Item]]] = {}

    def begin(self, blob: Descriptor) -> None:
        """Start to fetch a blob."""
        ahead: asyncio.Queue[_Item] = asyncio.Queue(_AHEAD)
        task = self._group.create_task(_fetch(self._open(blob), ahead), name=f"early {blob.digest}")
        self._running[blob.digest] = (task, ahead)

    async def take(self, blob: Descriptor) -> AsyncGenerator[bytes, None]:
        """Stream a blob from its beginning, whether it was begun early or not.

        Raises:
            ImageError: as the download does.
        """
        task, ahead = self._running.pop(blob.digest, (None, None))
        if task is None or ahead is None:
            async with contextlib.aclosing(self._open(blob)) as pieces:
                async for piece in pieces:
                    yield piece
            return
        try:
            while (item := await ahead.get()) is not None:
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            task.cancel()

    def drop(self) -> None:
        """Stop what nobody has taken."""
        for task, _ in self._running.values():
            task.cancel()
        self._running.clear()


_Item = bytes | Exception | None


async def _fetch(stream: AsyncGenerator[bytes, None], ahead: asyncio.Queue[_Item]) -> None:
    try:
        async with contextlib.aclosing(stream) as pieces:
            async for piece in pieces:
                await ahead.put(piece)
    except Exception as error:  # noqa: BLE001 - it is raised again where the layer is wanted
        await ahead.put(error)
    else:
        await ahead.put(None)
