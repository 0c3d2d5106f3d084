"""Which archives were imported, and what of: so that one that has not changed is not read again at each start.

Promise: an archive is known only while every image of it is here under every name. A file that cannot be read means
that nothing is known; what is kept is bounded.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from image.errors import ImageError
from image.host.durability import write_durably
from image.model.json_document import JsonObject, parse_json_object
from image.model.records import ImageRecord

MAX_ARCHIVES = 200
_FILE = "archives.json"
_MAX_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportedImage:
    """One image of an archive."""

    id: str
    names: tuple[str, ...]


class KnownArchives:
    """The archives of one store, by fingerprint."""

    def __init__(self, root: Path, find: Callable[[str], ImageRecord | None]) -> None:
        self._path = root / _FILE
        self._find = find

    def images_of(self, fingerprint: str) -> tuple[ImportedImage, ...]:
        """Return the images of an archive that is known; nothing when it has to be read."""
        images = self._read().get(fingerprint, ())
        return images if all(self._is_here(one) for one in images) else ()

    def note(self, fingerprint: str, images: tuple[ImportedImage, ...]) -> None:
        """Remember an archive durably; the oldest is forgotten when there are many."""
        known = self._read()
        known.pop(fingerprint, None)
        known[fingerprint] = images
        kept = list(known.items())[-MAX_ARCHIVES:]
        document = {
            "archives": [
                {
                    "fingerprint": key,
                    "images": [{"id": one.id, "names": list(one.names)} for one in found],
                }
                for key, found in kept
            ]
        }
        write_durably(self._path, json.dumps(document).encode())

    def _is_here(self, image: ImportedImage) -> bool:
        found = [self._find(name) for name in image.names]
        return all(one is not None and one.id == image.id for one in found)

    def _read(self) -> dict[str, tuple[ImportedImage, ...]]:
        try:
            raw = self._path.read_bytes()
            document = parse_json_object(raw, subject=str(self._path), max_bytes=_MAX_BYTES)
            return {
                one.text("fingerprint"): tuple(map(_image, one.children("images")))
                for one in document.children("archives")
            }
        except (OSError, ImageError):
            return {}


def _image(document: JsonObject) -> ImportedImage:
    return ImportedImage(id=document.text("id"), names=document.texts("names"))
