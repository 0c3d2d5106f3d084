"""Since when each condition of the node is as it is: looked at every second, because nobody tells of a change.

Keeps one moment per condition, in memory; a restart of the daemon begins anew.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from cri.admin.parts import ConditionFact

LOOK_SECONDS = 1.0
"""How late a change may be noticed; asking costs a few microseconds."""


class ConditionTimes:
    """Adds to the facts of `look` since when they hold."""

    def __init__(
        self,
        look: Callable[[], Sequence[ConditionFact]],
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._look = look
        self._clock = clock
        self._since: dict[str, tuple[bool, int]] = {}

    def facts(self) -> tuple[ConditionFact, ...]:
        """Return the conditions as they are now."""
        return tuple(replace(one, since_ns=self._note(one)) for one in self._look())

    async def watch(self) -> None:
        """Look for ever."""
        while True:
            self.facts()
            await asyncio.sleep(LOOK_SECONDS)

    def _note(self, fact: ConditionFact) -> int:
        ready, since = self._since.get(fact.type, (not fact.ready, 0))
        if ready is not fact.ready:
            since = self._clock()
            self._since[fact.type] = (fact.ready, since)
        return since
