"""Stop a node at one of its database commits, before or after it is written."""

import asyncio

from runtime.store.changes import Change
from runtime.tests.lifecycle.rig import Rig


class CommitGate:
    """Lets `number` commits pass and holds the next one."""

    def __init__(self, rig: Rig, number: int, *, written: bool) -> None:
        self.entered = asyncio.Event()
        self._left = number
        self._written = written
        self._commit = rig.node.db.commit
        rig.node.db.commit = self._gated  # type: ignore[method-assign]

    async def _gated(self, *changes: Change) -> None:
        self._left -= 1
        if self._left != -1:
            await self._commit(*changes)
            return
        if self._written:
            await self._commit(*changes)
        self.entered.set()
        await asyncio.Event().wait()
