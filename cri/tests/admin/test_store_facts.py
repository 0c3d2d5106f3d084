"""What a prune would give back is known before it is asked for."""

import asyncio
import logging

import pytest

from cri.admin import store_facts
from cri.admin.store_facts import look_at_store, watch_store
from cri.tests.admin.conftest import APP, WEB, Site


async def test_what_nothing_keeps_is_reclaimable(site: Site) -> None:
    facts = site.parts.facts
    await look_at_store(site.parts)
    everything = facts.reclaimable_bytes
    assert everything == site.parts.store.bytes_by_kind()["images"]
    site.use(site.image(APP))
    await look_at_store(site.parts)
    assert 0 < facts.reclaimable_bytes < everything
    await site.parts.pins.pin(WEB)
    await look_at_store(site.parts)
    assert facts.reclaimable_bytes == 0


async def test_a_look_that_fails_is_told_and_not_the_last(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    looks = []

    async def look(parts: object) -> None:
        looks.append(parts)
        if len(looks) == 1:
            raise OSError("no disk")

    monkeypatch.setattr(store_facts, "look_at_store", look)
    monkeypatch.setattr(store_facts, "LOOK_SECONDS", 0.0)
    with caplog.at_level(logging.WARNING):
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(watch_store(site.parts), name="watch")
            async with asyncio.timeout(30):
                while len(looks) < 2:
                    await asyncio.sleep(0)
            watching.cancel()
    assert "no disk" in caplog.text
