"""Accounts of the disk: shared layers count once, and what a removal frees is what it frees."""

from pathlib import Path

from image.store.disk_report import count_shares
from image.store.image_store import ImageStore
from image.tests.store.image_making import add_image, layer

BASE, ONE, TWO = layer("base", b"b" * 9000), layer("one", b"1" * 5000), layer("two", b"2" * 3000)


async def test_bytes_are_counted_once_and_freed_bytes_are_true(tmp_path: Path) -> None:
    store = await ImageStore.open(tmp_path)
    try:
        first = await add_image(store, "a.test/x:1", BASE, ONE)
        second = await add_image(store, "a.test/y:1", BASE, TWO)
        images = store.list_images()
        report, shares = await store.report(), count_shares(images)
        assert set(report.pulled_ns) == {first.id, second.id}
        whole = report.image_bytes(first)
        own = report.unique_bytes(first, shares)
        assert 5000 <= own < whole
        assert report.freed_by([first], images) == own
        both = report.freed_by([first, second], images)
        assert both == store.bytes_by_kind()["images"]
        before = store.bytes_by_kind()["images"]
        await store.remove(first.id)
        assert before - store.bytes_by_kind()["images"] == own
    finally:
        store.close()


async def test_what_a_container_uses_is_not_freed_and_names_its_owner(tmp_path: Path) -> None:
    store = await ImageStore.open(tmp_path)
    try:
        record = await add_image(store, "a.test/x:1", BASE)
        await store.acquire(record.id, "container")
        report = await store.report()
        assert report.owners_of(record) == ("container",)
        assert report.freed_by([record], [record]) == report.blob_bytes[record.id]
        assert report.layers[record.layers[0].chain_id].kind == "extract"
    finally:
        store.close()


async def test_an_image_gets_another_name(tmp_path: Path) -> None:
    store = await ImageStore.open(tmp_path)
    try:
        record = await add_image(store, "a.test/x:1", BASE)
        tagged = await store.tag("a.test/x:1", "a.test/z:2")
        assert tagged.repo_tags == ("a.test/x:1", "a.test/z:2")
        assert (await store.read_blob(record.id)).startswith(b"{")
    finally:
        store.close()
