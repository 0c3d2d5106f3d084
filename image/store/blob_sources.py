"""Which endpoint served each blob of an image: read and written as part of the index's own transactions.

Promise: what is not known stays as it was, or is taken from another image with the same blob; nothing is guessed. Never
decides anything: these are facts for operators.
"""

import sqlite3
from collections.abc import Callable, Sequence

from image.store.image_commit import ImageCommit

TABLE = """
CREATE TABLE IF NOT EXISTS blob_sources (
    image_id TEXT NOT NULL REFERENCES images(id) ON DELETE CASCADE, digest TEXT NOT NULL,
    source TEXT NOT NULL, PRIMARY KEY (image_id, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS blob_sources_by_digest ON blob_sources(digest);
"""
"""Beside the tables of format 1: an older version does not miss it and leaves it alone."""

Rows = Callable[[str], Sequence[tuple[str | int, ...]]]


def read_sources(rows: Rows) -> dict[tuple[str, str], str]:
    """Return the sources by image id and digest."""
    found = rows("SELECT image_id, digest, source FROM blob_sources")
    return {(str(image_id), str(digest)): str(source) for image_id, digest, source in found}


def note_sources(connection: sqlite3.Connection, commit: ImageCommit) -> None:
    """Record who served config and layers of an image that is registered in this transaction."""
    image_id = commit.config_digest
    told = {image_id: commit.config_source}
    told |= {layer.digest: layer.source for layer in commit.layers}
    connection.execute(
        "DELETE FROM blob_sources WHERE image_id = ? AND digest <> image_id AND digest NOT IN"
        " (SELECT digest FROM image_layers i WHERE i.image_id = blob_sources.image_id)",
        (image_id,),
    )
    for digest, source in told.items():
        if source:
            connection.execute(
                "INSERT INTO blob_sources VALUES (?, ?, ?) ON CONFLICT(image_id, digest) DO UPDATE"
                " SET source = excluded.source",
                (image_id, digest, source),
            )
        else:  # it was here before, perhaps as part of another image
            connection.execute(
                "INSERT OR IGNORE INTO blob_sources"
                " SELECT ?, digest, source FROM blob_sources WHERE digest = ? LIMIT 1",
                (image_id, digest),
            )
