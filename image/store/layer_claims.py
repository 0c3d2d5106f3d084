"""Who makes which layer, when several pulls want the same: each is made once.

Pure state. A pull pins every layer it wants, so that none is removed under it, and claims those that nobody has or
makes. Deadlock is impossible: a pull waits for a layer only when all layers below it are published, and a claim is
given up as soon as its layer is, so waiting always points further down a chain.
"""

import enum
from collections import Counter
from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from image.errors import Internal


class ClaimState(enum.StrEnum):
    """What a pull has to do about a layer."""

    PRESENT = "present"
    YOURS = "yours"
    BUSY = "busy"


class LayerClaims:
    """Pins and claims of all running pulls, each known by its ticket."""

    def __init__(self) -> None:
        self._owners: dict[str, str] = {}
        self._pins: Counter[str] = Counter()
        self._pinned_by: dict[str, set[str]] = {}

    def take(
        self, ticket: str, chain_ids: Iterable[str], present: AbstractSet[str]
    ) -> dict[str, ClaimState]:
        """Pin layers and claim those that are free; asking again for what is claimed already is fine."""
        states = {}
        wanted = tuple(chain_ids)
        self.pin(ticket, wanted)
        for chain_id in wanted:
            if chain_id in present:
                states[chain_id] = ClaimState.PRESENT
            elif self._owners.setdefault(chain_id, ticket) == ticket:
                states[chain_id] = ClaimState.YOURS
            else:
                states[chain_id] = ClaimState.BUSY
        return states

    def pin(self, ticket: str, chain_ids: Iterable[str]) -> None:
        """Pin layers without claiming any."""
        mine = self._pinned_by.setdefault(ticket, set())
        for chain_id in chain_ids:
            if chain_id not in mine:
                mine.add(chain_id)
                self._pins[chain_id] += 1

    def owns(self, ticket: str, chain_id: str) -> bool:
        """Tell whether a pull may publish a layer."""
        return self._owners.get(chain_id) == ticket

    def check_claimed(
        self, ticket: str, chain_ids: Iterable[str], present: AbstractSet[str]
    ) -> None:
        """Refuse layers that are not present, or that a pull has never asked for.

        Raises:
            Internal: one is.
        """
        mine: AbstractSet[str] = self._pinned_by.get(ticket, frozenset())
        for chain_id in chain_ids:
            if chain_id not in mine or chain_id not in present:
                raise Internal(chain_id, "worker asked about a layer that is not its own")

    def settle(self, chain_id: str) -> None:
        """Note that a layer is published: nobody makes it any more. Pins stay."""
        self._owners.pop(chain_id, None)

    def release(self, ticket: str) -> None:
        """Give up all claims and pins of a pull that has ended."""
        for chain_id in self._pinned_by.pop(ticket, ()):
            self._pins[chain_id] -= 1
            if self._pins[chain_id] <= 0:
                del self._pins[chain_id]
            if self._owners.get(chain_id) == ticket:
                del self._owners[chain_id]

    def pinned(self) -> frozenset[str]:
        """Return the layers that running pulls want."""
        return frozenset(self._pins)
