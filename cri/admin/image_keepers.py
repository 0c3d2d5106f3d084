"""What keeps an image on this node: containers, pins, settings and running pulls, named as their users know them.

One answer for all who ask: `image ls`, `rm`, `prune` and `why` cannot disagree. Decides nothing itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cri.admin.parts import AdminParts
from cri.admin.texts import rfc3339
from image.model.records import ImageRecord
from image.store.disk_report import DiskReport
from runtime.lifecycle.dismantle import image_owners
from runtime.lifecycle.object_names import container_name
from runtime.records.container import ContainerRecord

CONTAINER, PIN, SETTING, PULL = "container", "pin", "setting", "pull"


@dataclass(frozen=True, kw_only=True, slots=True)
class Keeper:
    """One reason why an image stays."""

    kind: str
    holder: str
    """`namespace/pod/container`, a pin's label, a setting's key, a pull's id."""
    state: str = ""
    """Of a container."""
    since_ns: int = 0
    until_ns: int = 0

    def words(self) -> str:
        """Return it as a sentence names it."""
        return self.holder if self.kind == CONTAINER else f'{self.kind} "{self.holder}"'

    def fields(self) -> dict[str, object]:
        """Return it as JSON shows it."""
        return {
            "kind": self.kind,
            "object": self.holder,
            "state": self.state,
            "since": rfc3339(self.since_ns),
            "until": rfc3339(self.until_ns),
        }


class Keepers:
    """The keepers of all images at one moment."""

    def __init__(self, parts: AdminParts, report: DiskReport) -> None:
        self._parts = parts
        self._report = report
        self._pins = parts.pins.active()
        self._by_owner = {
            owner: record
            for record in parts.node.containers.values()
            for owner in image_owners(record)
        }

    def of(self, record: ImageRecord) -> tuple[Keeper, ...]:
        """Return everything that keeps an image, containers first."""
        return (*self._containers(record), *self.pins(record), *self._pulls(record))

    def pins(self, record: ImageRecord) -> tuple[Keeper, ...]:
        """Return the pins of an image, those of the settings too."""
        names = {*record.repo_tags, *record.repo_digests}
        found = [
            Keeper(kind=PIN, holder=pin.label, since_ns=pin.since_ns, until_ns=pin.until_ns)
            for pin in self._pins
            if pin.name in names
        ]
        if record.pinned and not found:
            found.append(Keeper(kind=SETTING, holder="image.pinned_images"))
        return tuple(found)

    def _containers(self, record: ImageRecord) -> Sequence[Keeper]:
        found: dict[str, Keeper] = {}
        for container in self._parts.node.containers.values():
            if container.image_id == record.id:
                found[container.id] = self._keeper(container)
        for owner in self._report.owners_of(record):
            holder = self._by_owner.get(owner)
            if holder is None:
                short = owner[:12]
                found[owner] = Keeper(kind=CONTAINER, holder=f"container {short}", state="creating")
            else:
                found[holder.id] = self._keeper(holder)
        return tuple(found.values())

    def _keeper(self, container: ContainerRecord) -> Keeper:
        return Keeper(
            kind=CONTAINER,
            holder=container_name(self._parts.node, container),
            state=str(container.state),
            since_ns=container.created_at_ns,
        )

    def _pulls(self, record: ImageRecord) -> Sequence[Keeper]:
        names = {*record.repo_tags, *record.repo_digests}
        return [
            Keeper(kind=PULL, holder=one.id)
            for one in self._parts.puller.pulls()
            if one.reference in names
        ]
