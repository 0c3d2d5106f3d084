"""Which images, names, layers and uses there are: reads and writes of the database in the store's words.

Promise: every change is one transaction, and what it returns is what has become unneeded by it. Never touches
content. The caller serialises calls and removes content only after the transaction that stopped naming it.
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

from image.model.records import LayerRecord
from image.store.blob_sources import note_sources, read_sources
from image.store.disk_report import DiskReport, read_report
from image.store.image_commit import ImageCommit
from image.store.image_database import ImageDatabase
from image.store.layer_store import LayerSummary

_UNNEEDED_LAYERS = """
SELECT chain_id FROM layers
WHERE NOT EXISTS (SELECT 1 FROM image_layers i WHERE i.chain_id = layers.chain_id)
  AND NOT EXISTS (SELECT 1 FROM uses u WHERE u.chain_id = layers.chain_id)
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexedImage:
    """One image as the database has it."""

    id: str
    manifest_digest: str
    blob_bytes: int
    names: tuple[str, ...]
    layers: tuple[LayerRecord, ...]
    source: str = ""
    config_source: str = ""


class ImageIndex:
    """The content of one image database."""

    def __init__(self, path: Path) -> None:
        self._database = ImageDatabase(path)

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def keep_reserve(self) -> None:
        """Hold back some of the space that was freed, for removals on a full disk."""
        self._database.keep_reserve()

    def images(self) -> tuple[IndexedImage, ...]:
        """Return all images with names and layers."""
        names: dict[str, list[str]] = {}
        for name, image_id in self._database.rows("SELECT name, image_id FROM names ORDER BY name"):
            names.setdefault(str(image_id), []).append(str(name))
        layers: dict[str, list[LayerRecord]] = {}
        sources = read_sources(self._database.rows)
        query = (
            "SELECT image_id, digest, diff_id, chain_id, size FROM image_layers"
            " ORDER BY image_id, position"
        )
        for image_id, digest, diff_id, chain_id, size in self._database.rows(query):
            record = LayerRecord(
                digest=str(digest),
                diff_id=str(diff_id),
                chain_id=str(chain_id),
                size_bytes=int(size),
                source=sources.get((str(image_id), str(digest)), ""),
            )
            layers.setdefault(str(image_id), []).append(record)
        query = (
            "SELECT id, manifest_digest, blob_bytes, coalesce(source, '') FROM images"
            " LEFT JOIN image_sources ON image_id = id ORDER BY pulled, id"
        )
        return tuple(
            IndexedImage(
                id=str(image_id),
                manifest_digest=str(manifest_digest),
                blob_bytes=int(blob_bytes),
                names=tuple(names.get(str(image_id), ())),
                layers=tuple(layers.get(str(image_id), ())),
                source=str(source),
                config_source=sources.get((str(image_id), str(image_id)), ""),
            )
            for image_id, manifest_digest, blob_bytes, source in self._database.rows(query)
        )

    def layers(self) -> frozenset[str]:
        """Return the chain ids of all registered layers."""
        return frozenset(str(row[0]) for row in self._database.rows("SELECT chain_id FROM layers"))

    def opaque_layers(self) -> frozenset[str]:
        """Return the chain ids of layers whose root is opaque."""
        rows = self._database.rows("SELECT chain_id FROM layers WHERE opaque")
        return frozenset(str(row[0]) for row in rows)

    def totals(self) -> tuple[int, int]:
        """Return the bytes and inodes that layers take."""
        query = "SELECT coalesce(sum(used_bytes), 0), coalesce(sum(inodes), 0) FROM layers"
        ((used, inodes),) = self._database.rows(query)
        return int(used), int(inodes)

    def layer_bytes(self) -> dict[str, int]:
        """Return what each layer takes, by chain id."""
        rows = self._database.rows("SELECT chain_id, used_bytes FROM layers")
        return {str(chain_id): int(used) for chain_id, used in rows}

    def add_layer(self, chain_id: str, summary: LayerSummary) -> None:
        """Register a published layer that no image has yet."""
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO layers VALUES (?, ?, ?, ?, ?)",
                (chain_id, summary.kind, "" in summary.opaque, summary.used_bytes, summary.inodes),
            )
            _touch(connection, chain_id)

    def replace_layer(self, chain_id: str, summary: LayerSummary) -> None:
        """Note that a layer is kept in another way now."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE layers SET kind = ?, used_bytes = ?, inodes = ? WHERE chain_id = ?",
                (summary.kind, summary.used_bytes, summary.inodes, chain_id),
            )
            _touch(connection, chain_id)

    def used_layers(self) -> frozenset[str]:
        """Return the chain ids of layers that containers use."""
        return frozenset(str(row[0]) for row in self._database.rows("SELECT chain_id FROM uses"))

    def report(self, blob_bytes: Mapping[str, int]) -> DiskReport:
        """Return what is on disk, and who uses it."""
        return read_report(self._database.rows, blob_bytes)

    def add_name(self, name: str, image_id: str) -> None:
        """Give an image another name; it moves here when another image had it."""
        with self._database.transaction() as connection:
            _name(connection, [name], image_id)

    def add_image(self, commit: ImageCommit, pulled: int) -> None:
        """Register an image and the names it was pulled by; a tag moves here from another image."""
        image_id = commit.config_digest
        blob_bytes = len(commit.manifest) + len(commit.config)
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO images VALUES (?, ?, ?, ?) ON CONFLICT(id) DO UPDATE"
                " SET manifest_digest = excluded.manifest_digest, blob_bytes = excluded.blob_bytes",
                (image_id, commit.manifest_digest, blob_bytes, pulled),
            )
            connection.execute("DELETE FROM image_layers WHERE image_id = ?", (image_id,))
            connection.executemany(
                "INSERT INTO image_layers VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (image_id, n, layer.chain_id, layer.diff_id, layer.digest, layer.size_bytes)
                    for n, layer in enumerate(commit.layers)
                ],
            )
            if commit.source:
                connection.execute(
                    "INSERT INTO image_sources VALUES (?, ?) ON CONFLICT(image_id) DO UPDATE"
                    " SET source = excluded.source",
                    (image_id, commit.source),
                )
            note_sources(connection, commit)
            names = []
            if commit.is_named_by_digest:
                names.append(f"{commit.reference.name}@{commit.target_digest}")
            if commit.reference.tag:
                names.append(f"{commit.reference.name}:{commit.reference.tag}")
            _name(connection, names, image_id)
            _touch(connection, image_id)

    def touched(self) -> frozenset[str]:
        """Return the chain ids and image ids that were written since the last clean stop, or check."""
        return frozenset(str(row[0]) for row in self._database.rows("SELECT digest FROM touched"))

    def settle(self, digests: Iterable[str]) -> None:
        """Note that contents are known to be whole: the daemon stops cleanly, or has looked at them."""
        with self._database.transaction(freeing=True) as connection:
            connection.executemany("DELETE FROM touched WHERE digest = ?", [(d,) for d in digests])

    def remove_names(
        self, image_id: str, names: Iterable[str], keep: AbstractSet[str]
    ) -> tuple[str, ...]:
        """Take names from an image, and the image with its last one; return layers that nothing needs any more."""
        with self._database.transaction(freeing=True) as connection:
            connection.executemany(
                "DELETE FROM names WHERE name = ? AND image_id = ?", [(n, image_id) for n in names]
            )
            connection.execute(
                "DELETE FROM images WHERE id = ?"
                " AND NOT EXISTS (SELECT 1 FROM names WHERE image_id = images.id)",
                (image_id,),
            )
            return _drop_unneeded(connection, keep)

    def add_uses(self, container_id: str, chain_ids: Sequence[str]) -> None:
        """Record that a container needs these layers."""
        with self._database.transaction() as connection:
            connection.executemany(
                "INSERT OR IGNORE INTO uses VALUES (?, ?)", [(container_id, c) for c in chain_ids]
            )

    def remove_uses(self, container_id: str, keep: AbstractSet[str]) -> tuple[str, ...]:
        """Forget a container; return layers that nothing needs any more."""
        with self._database.transaction(freeing=True) as connection:
            connection.execute("DELETE FROM replaced WHERE container_id = ?", (container_id,))
            deleted = connection.execute(
                "DELETE FROM uses WHERE container_id = ?", (container_id,)
            ).rowcount
            return _drop_unneeded(connection, keep) if deleted else ()

    def replaced(self) -> dict[str, str]:
        """Return the damaged layers that containers still use: chain ids by the directory that keeps each."""
        rows = self._database.rows("SELECT directory, chain_id FROM replaced")
        return {str(directory): str(chain_id) for directory, chain_id in rows}

    def condemn(
        self, chain_id: str, directory: str, keep: AbstractSet[str]
    ) -> tuple[bool, tuple[str, ...]]:
        """Forget a layer and the images that have it; containers that use it use `directory` from now on.

        Returns whether there are such containers, and layers that nothing needs any more.
        """
        with self._database.transaction(freeing=True) as connection:
            used = connection.execute(
                "INSERT INTO replaced SELECT ?, chain_id, container_id FROM uses WHERE chain_id = ?",
                (directory, chain_id),
            ).rowcount
            _forget_layer(connection, chain_id)
            return used > 0, _drop_unneeded(connection, keep)

    def drop_unneeded(self, keep: AbstractSet[str]) -> tuple[str, ...]:
        """Forget and return layers that nothing needs: failed pulls leave them for the next attempt."""
        with self._database.transaction(freeing=True) as connection:
            return _drop_unneeded(connection, keep)

    def reconcile(
        self, container_ids: AbstractSet[str], damaged: Iterable[str], keep: AbstractSet[str]
    ) -> tuple[str, ...]:
        """Forget unknown containers and damaged images; return layers that nothing needs any more."""
        with self._database.transaction(freeing=True) as connection:
            rows = connection.execute(
                "SELECT container_id FROM uses UNION SELECT container_id FROM replaced"
            ).fetchall()
            gone = [(row[0],) for row in rows if row[0] not in container_ids]
            connection.executemany("DELETE FROM uses WHERE container_id = ?", gone)
            connection.executemany("DELETE FROM replaced WHERE container_id = ?", gone)
            connection.executemany("DELETE FROM images WHERE id = ?", [(i,) for i in damaged])
            return _drop_unneeded(connection, keep)

    def forget_layers(self, chain_ids: Iterable[str]) -> None:
        """Forget layers whose content is gone, with the images and uses that name them."""
        with self._database.transaction(freeing=True) as connection:
            for chain_id in chain_ids:
                _forget_layer(connection, chain_id)


def _forget_layer(connection: sqlite3.Connection, chain_id: str) -> None:
    connection.execute(
        "DELETE FROM images WHERE id IN (SELECT image_id FROM image_layers WHERE chain_id = ?)",
        (chain_id,),
    )
    connection.execute("DELETE FROM uses WHERE chain_id = ?", (chain_id,))
    connection.execute("DELETE FROM layers WHERE chain_id = ?", (chain_id,))


def _touch(connection: sqlite3.Connection, digest: str) -> None:
    connection.execute("INSERT OR IGNORE INTO touched VALUES (?)", (digest,))


def _name(connection: sqlite3.Connection, names: Sequence[str], image_id: str) -> None:
    connection.executemany(
        "INSERT INTO names VALUES (?, ?) ON CONFLICT(name) DO UPDATE SET image_id = excluded.image_id",
        [(name, image_id) for name in names],
    )


def _drop_unneeded(connection: sqlite3.Connection, keep: AbstractSet[str]) -> tuple[str, ...]:
    rows = connection.execute(_UNNEEDED_LAYERS).fetchall()
    unneeded = tuple(str(row[0]) for row in rows if row[0] not in keep)
    connection.executemany("DELETE FROM layers WHERE chain_id = ?", [(c,) for c in unneeded])
    return unneeded
