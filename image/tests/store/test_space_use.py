"""What the store takes is what du(1) says, whichever files it has."""

import os
import subprocess
from pathlib import Path

import pytest

from image.store.image_store import ImageStore
from image.store.space_use import measure
from image.tests.store.image_making import add_image, layer


def du(place: Path) -> int:
    """Return what du(1) says."""
    done = subprocess.run(
        ["du", "-sB1", str(place)], capture_output=True, check=True, env={"LC_ALL": "C"}
    )
    return int(done.stdout.split()[0])


async def test_usage_of_a_store_is_its_files_to_the_byte(tmp_path: Path) -> None:
    store = await ImageStore.open(tmp_path / "images")
    try:
        await add_image(store, "a.test/x:1", layer("base", b"b" * 90_000), layer("one"))
        await add_image(store, "a.test/y:1", layer("base", b"b" * 90_000), layer("two"))
        (store.root / "partial/blob").write_bytes(b"p" * 20_000)
        space = await store.begin_pull()
        (space.staging / "layer").write_bytes(b"s" * 30_000)
        usage = await store.filesystem_usage()
        assert usage.used_bytes == du(store.root)
        assert usage.inodes_used == sum(1 for _ in store.root.rglob("*")) + 1
        kinds = store.bytes_by_kind()
        assert kinds["unfinished"] >= 50_000
        assert sum(kinds.values()) <= usage.used_bytes
        await space.close()
    finally:
        store.close()


async def test_an_image_is_as_large_as_what_only_it_has(tmp_path: Path) -> None:
    store = await ImageStore.open(tmp_path / "images")
    try:
        empty = (await store.filesystem_usage()).used_bytes
        record = await add_image(store, "a.test/x:1", layer("base", b"b" * 900_000))
        grown = (await store.filesystem_usage()).used_bytes - empty
        assert abs(record.disk_bytes - grown) < 0.1 * grown
        again = store.find(record.id)
        assert again is not None
        await store.acquire(record.id, "c")
        assert store.find(record.id) is again  # nothing of it changed
    finally:
        store.close()


def test_a_file_that_vanishes_meanwhile_is_not_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "images.db-wal").write_bytes(b"x" * 5000)
    before = measure(tmp_path)
    real = os.scandir

    class Vanishing:
        def __init__(self, place: Path) -> None:
            with real(place) as entries:
                self.entries = list(entries)
            (place / "images.db-wal").unlink(missing_ok=True)

        def __enter__(self) -> list[os.DirEntry[str]]:
            return self.entries

        def __exit__(self, *_: object) -> None:
            return None

    monkeypatch.setattr(os, "scandir", Vanishing)
    assert measure(tmp_path).database < before.database
