"""Pins that operators set: names of images that nobody removes by accident, each under a label, some until a time.

Promise: a pin is on disk before it is acknowledged, and ends at its time without being asked for. Pins of the settings
are not kept here; both mark an image as pinned for the kubelet. Pins a name, not content: the name may move.
"""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Protocol

from image.errors import FailedPrecondition, ImageError
from image.host.durability import write_durably
from image.model.json_document import JsonObject, parse_json_object
from image.store.catalogue import is_pinned

DEFAULT_LABEL = "operator"
_FILE = "pins.json"
_MAX_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Pin:
    """One pinned name."""

    name: str
    """Normalised: `host/repository:tag` or with a digest."""
    label: str
    """Why, in one word: `boot`."""
    since_ns: int
    until_ns: int = 0
    """0: until it is unpinned."""


class PinnableStore(Protocol):
    """What is used of the image store."""

    async def set_pins(self, patterns: tuple[str, ...]) -> None:
        """Replace the names and patterns that mark images as pinned."""


class Pins:
    """All pins of one store."""

    def __init__(
        self,
        root: Path,
        store: PinnableStore,
        *,
        configured: tuple[str, ...] = (),
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._path = root / _FILE
        self._store = store
        self._configured = configured
        self._clock = clock
        self._pins: dict[tuple[str, str], Pin] = {}

    async def load(self) -> None:
        """Read the file and tell the store.

        Raises:
            FailedPrecondition: the file is damaged.
        """
        try:
            raw = self._path.read_bytes()
        except FileNotFoundError:
            raw = b"{}"
        try:
            document = parse_json_object(raw, subject=str(self._path), max_bytes=_MAX_BYTES)
            pins = [_read_pin(one) for one in document.children("pins")]
        except ImageError as error:
            raise FailedPrecondition(
                str(self._path),
                f"pins cannot be read: {error.cause}",
                remedy="remove the file to start without pins",
                reason="PinsUnreadable",
            ) from error
        self._pins = {(pin.name, pin.label): pin for pin in pins}
        await self.refresh()

    def active(self) -> tuple[Pin, ...]:
        """Return the pins in force, oldest first."""
        now = self._clock()
        return tuple(one for one in self._pins.values() if not 0 < one.until_ns <= now)

    def hold(self, name: str) -> bool:
        """Tell whether a pin or the settings hold this very name, not another one of its image."""
        names = tuple(pin.name for pin in self.active())
        return is_pinned(name, (*self._configured, *names))

    async def refresh(self) -> None:
        """Drop pins whose time is over, and tell the store which names are pinned."""
        active = self.active()
        if len(active) != len(self._pins):
            self._keep({(pin.name, pin.label): pin for pin in active})
        names = {pin.name for pin in active}
        await self._store.set_pins((*self._configured, *sorted(names)))

    async def pin(self, name: str, *, label: str = DEFAULT_LABEL, until_ns: int = 0) -> Pin:
        """Pin a name; a second pin with the same label only moves its end."""
        pin = Pin(name=name, label=label, since_ns=self._clock(), until_ns=until_ns)
        old = self._pins.get((name, label))
        if old is not None:
            pin = replace(old, until_ns=until_ns)
        self._keep({**self._pins, (name, label): pin})
        await self.refresh()
        return pin

    async def unpin(self, names: tuple[str, ...], *, label: str = "") -> tuple[Pin, ...]:
        """Take pins away, those of one label if it is given; return what went."""
        gone = {
            key: pin
            for key, pin in self._pins.items()
            if pin.name in names and label in ("", pin.label)
        }
        if gone:
            self._keep({key: pin for key, pin in self._pins.items() if key not in gone})
            await self.refresh()
        return tuple(gone.values())

    def _keep(self, pins: dict[tuple[str, str], Pin]) -> None:
        document = {"pins": [asdict(pin) for pin in pins.values()]}
        write_durably(self._path, json.dumps(document).encode())
        self._pins = pins


def _read_pin(document: JsonObject) -> Pin:
    return Pin(
        name=document.text("name"),
        label=document.text("label"),
        since_ns=document.integer("since_ns"),
        until_ns=document.integer("until_ns"),
    )
