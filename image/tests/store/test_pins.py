"""Pins last, end in time, and mark images."""

from pathlib import Path

import pytest

from image.errors import FailedPrecondition
from image.store.image_store import ImageStore
from image.store.pins import Pins
from image.tests.store.image_making import add_image, layer


class FakeStore:
    """Remembers the patterns."""

    def __init__(self) -> None:
        self.patterns: tuple[str, ...] = ()

    async def set_pins(self, patterns: tuple[str, ...]) -> None:
        self.patterns = patterns


async def test_pins_are_kept_over_a_restart_beside_those_of_the_settings(tmp_path: Path) -> None:
    store = FakeStore()
    pins = Pins(tmp_path, store, configured=("pause:*",), clock=lambda: 5)
    await pins.load()
    await pins.pin("a.test/x:1", label="boot")
    await pins.pin("a.test/x:1", label="boot", until_ns=50)
    again = Pins(tmp_path, store, configured=("pause:*",), clock=lambda: 6)
    await again.load()
    (pin,) = again.active()
    assert (pin.name, pin.label, pin.since_ns, pin.until_ns) == ("a.test/x:1", "boot", 5, 50)
    assert store.patterns == ("pause:*", "a.test/x:1")
    held = ("a.test/x:1", "pause:*", "a.test/x:2")
    assert [again.hold(name) for name in held] == [True, True, False]


async def test_a_pin_ends_at_its_time(tmp_path: Path) -> None:
    now = 10
    store = FakeStore()
    pins = Pins(tmp_path, store, clock=lambda: now)
    await pins.pin("a.test/x:1", until_ns=20)
    now = 20
    assert pins.active() == ()
    await pins.refresh()
    assert store.patterns == ()


async def test_only_the_wanted_label_is_unpinned(tmp_path: Path) -> None:
    pins = Pins(tmp_path, FakeStore())
    await pins.pin("a.test/x:1", label="boot")
    await pins.pin("a.test/x:1")
    gone = await pins.unpin(("a.test/x:1",), label="boot")
    assert [pin.label for pin in gone] == ["boot"]
    assert [pin.label for pin in pins.active()] == ["operator"]
    assert len(await pins.unpin(("a.test/x:1", "other"))) == 1
    assert await pins.unpin(("other",)) == ()


async def test_a_damaged_file_is_refused_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "pins.json").write_text("{")
    with pytest.raises(FailedPrecondition, match=r"pins\.json.*remove the file"):
        await Pins(tmp_path, FakeStore()).load()


async def test_a_pinned_name_marks_its_image(tmp_path: Path) -> None:
    store = await ImageStore.open(tmp_path / "images")
    try:
        await add_image(store, "a.test/x:1", layer("f"))
        pins = Pins(tmp_path, store)
        await pins.pin("a.test/x:1")
        assert store.list_images()[0].pinned
        await pins.unpin(("a.test/x:1",))
        assert not store.list_images()[0].pinned
    finally:
        store.close()
