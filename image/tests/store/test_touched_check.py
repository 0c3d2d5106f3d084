"""What was written before a crash is looked at once, and mended, taken out or left for later."""

import os
from pathlib import Path

import pytest

from image.errors import Unavailable
from image.model.records import ImageRecord
from image.store.disk_report import DiskReport
from image.store.fsck import Damage, Item
from image.store.image_store import ImageStore
from image.store.touched_check import check_touched
from image.tests.store.image_making import add_image, commit_of, layer, publish_missing

BASE, TOP = layer("base"), layer("top")
INDEX_DAMAGE = Damage("its index has another digest", is_of_index=True)


class Scripted:
    """A store with one image, whose damage the test decides."""

    def __init__(self, root: Path, records: tuple[ImageRecord, ...], report: DiskReport) -> None:
        self.root = root
        self._records = records
        self._report = report
        self.damage: dict[str, Damage] = {}
        self.error: Exception | None = None
        self.did: list[tuple[str, str]] = []
        self.settled: frozenset[str] = frozenset()
        self.collected = False

    def suspects(self) -> frozenset[str]:
        (record,) = self._records
        return frozenset({record.id, *(one.chain_id for one in record.layers)})

    def list_images(self) -> tuple[ImageRecord, ...]:
        return self._records

    async def report(self) -> DiskReport:
        return self._report

    async def settle(self, digests: frozenset[str]) -> None:
        self.settled = digests

    async def examine(self, item: Item) -> Damage | None:
        return self.damage.get(item.kind)

    async def renew(self, chain_id: str) -> None:
        self.did.append(("renew", chain_id))
        if self.error is not None:
            raise self.error

    async def condemn(self, chain_id: str) -> None:
        self.did.append(("condemn", chain_id))

    async def remove(self, text: str) -> None:
        self.did.append(("remove", text))

    async def collect(self, keep: frozenset[str] = frozenset()) -> int:
        assert keep == frozenset()
        self.collected = True
        return 0


@pytest.fixture
async def scripted(tmp_path: Path) -> Scripted:
    store = await ImageStore.open(tmp_path)
    await add_image(store, "a.test/app:1", BASE)
    found = Scripted(tmp_path, store.list_images(), await store.report())
    store.close()
    return found


async def test_whole_content_is_settled(scripted: Scripted) -> None:
    await check_touched(scripted)
    assert (scripted.did, scripted.settled) == ([], scripted.suspects())
    assert scripted.collected  # an image may have been removed meanwhile


async def test_an_index_is_made_again_and_all_else_taken_out(
    scripted: Scripted, caplog: pytest.LogCaptureFixture
) -> None:
    (record,) = scripted.list_images()
    chain = record.layers[0].chain_id
    scripted.damage = {"layer": INDEX_DAMAGE}
    await check_touched(scripted)
    scripted.damage = {
        "layer": Damage("its tar is missing"),
        "config": Damage("is missing"),
    }
    await check_touched(scripted)
    assert scripted.did == [("renew", chain), ("remove", record.id), ("condemn", chain)]
    assert "of a.test/app:1 is damaged: its tar is missing" in caplog.text


async def test_what_cannot_be_looked_at_stays_a_suspect(
    scripted: Scripted, caplog: pytest.LogCaptureFixture
) -> None:
    scripted.damage = {"layer": INDEX_DAMAGE}
    scripted.error = Unavailable("disk", "does not answer")
    await check_touched(scripted)
    assert scripted.settled == frozenset()
    assert "stays unchecked" in caplog.text


def _spoil(store: ImageStore, chain_id: str, name: str) -> None:
    (store.root / "layers" / chain_id.partition(":")[2] / "root" / name).write_bytes(b"?")


async def test_a_clean_stop_leaves_nothing_to_check(tmp_path: Path) -> None:
    store = await ImageStore.open(tmp_path)
    record = await add_image(store, "app:1", BASE)
    crashed = await ImageStore.open(tmp_path)
    assert crashed.suspects() == {record.id, record.layers[0].chain_id}
    crashed.close()  # before it was looked at
    again = await ImageStore.open(tmp_path)
    assert again.suspects() == crashed.suspects()
    await check_touched(again)
    again.close()
    last = await ImageStore.open(tmp_path)
    assert last.suspects() == frozenset()
    last.close()
    store.close()


async def test_only_what_was_written_before_a_crash_is_looked_at(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = await ImageStore.open(tmp_path)
    old = await add_image(store, "old:1", BASE)
    store.close()
    store = await ImageStore.open(tmp_path)
    new = await add_image(store, "new:1", BASE, TOP)
    for record, name in ((old, "base"), (new, "top")):
        _spoil(store, record.layers[-1].chain_id, name)
    again = await ImageStore.open(store.root)  # the other one was never closed
    await again.reconcile(frozenset())
    assert again.suspects() == {new.id, new.layers[1].chain_id}
    await check_touched(again)
    assert again.find("new:1") is None
    assert again.find("old:1") is not None  # its damage is older than the last clean stop
    assert "docker.io/library/new:1 is damaged: its file 'top'" in caplog.text
    assert again.suspects() == frozenset()
    assert len(os.listdir(again.root / "layers")) == 1
    store.close()
    again.close()


async def test_layers_of_a_broken_pull_wait_for_its_next_attempt(tmp_path: Path) -> None:
    stores = [await ImageStore.open(tmp_path)]
    space = await stores[0].begin_pull()
    await publish_missing(space, commit_of("app:1", (BASE, TOP)), (BASE, TOP))
    for _ in range(2):  # as after crashes: no store before it was closed
        stores.append(await ImageStore.open(tmp_path))
        await stores[-1].reconcile(frozenset())
        await check_touched(stores[-1])
        assert len(os.listdir(tmp_path / "layers")) == 2
    await stores[-1].collect()
    assert os.listdir(tmp_path / "layers") == []
    for store in stores:
        store.close()
