"""A node of fakes, a real image store with two images that share a layer, and a puller that does what it is told."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest

from cri.admin.parts import AdminParts, ConditionFact, Versions
from cri.tests.sample_records import container_record, sandbox_record
from image.errors import ImageError
from image.exchange.messages import PullEvent
from image.model.records import ImageRecord, RegistryAuth
from image.protocol.endpoint_outcome import EndpointReport
from image.pulls.pull_picture import PullPicture
from image.pulls.puller import PulledTags, Puller, RunningPull
from image.store.image_store import ImageStore
from image.store.pins import Pins
from image.tests.store.image_making import add_image, layer
from runtime.tests.lifecycle.rig import Rig

BASE, ONE, TWO = layer("base", b"b" * 9000), layer("one", b"1" * 5000), layer("two", b"2" * 3000)
APP, WEB = "a.test/app:1", "a.test/web:1"


def running_pull(
    reference: str = APP, *events: PullEvent, callers: tuple[str, ...] = ("cri",)
) -> RunningPull:
    picture = PullPicture(lambda: 100.0)
    for event in events:
        picture.take(event)
    return RunningPull(
        id="12345678",
        reference=reference,
        platform="",
        callers=callers,
        age_seconds=2.5,
        view=picture.now(),
        picture=picture,
    )


def rows(answer: Mapping[str, object], key: str) -> list[dict[str, object]]:
    """Return a list of objects out of an answer."""
    found = answer[key]
    assert isinstance(found, list)
    return found


@dataclass
class ScriptedPuller:
    """Pulls by waiting for the test."""

    store: ImageStore
    error: ImageError | None = None
    now: tuple[RunningPull, ...] = ()
    renewed: tuple[str, tuple[bytes, ...]] | None = None
    """An image that a pull puts into the store: name and layers."""
    asked: list[tuple[str, RegistryAuth | None, str, str]] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    go: asyncio.Event = field(default_factory=asyncio.Event)

    def pulls(self) -> tuple[RunningPull, ...]:
        return self.now

    def cancel(self, pull_id: str) -> bool:
        self.cancelled.append(pull_id)
        return any(one.id == pull_id for one in self.now)

    async def endpoints(
        self, reference_text: str, *, auth: RegistryAuth | None = None
    ) -> tuple[EndpointReport, ...]:
        self.asked.append((reference_text, auth, "", ""))
        return (
            EndpointReport(
                url="http://m",
                rule="origin",
                auth="anonymous",
                why="no pull secret",
                asked=True,
                works=True,
                result="200",
                digest="",
                seconds=0.5,
            ),
        )

    async def pull_all_tags(
        self, name: str, *, auth: RegistryAuth | None, platform: str, caller: str
    ) -> PulledTags:
        await self.pull(name, auth=auth, platform=platform, caller=caller)
        return PulledTags(records=self.store.list_images(), pulled_new=True)

    async def pull(
        self,
        reference_text: str,
        *,
        auth: RegistryAuth | None = None,
        platform: str = "",
        caller: str = "",
    ) -> ImageRecord:
        self.asked.append((reference_text, auth, platform, caller))
        await self.go.wait()
        if self.error is not None:
            raise self.error
        if self.renewed is not None:
            return await add_image(self.store, self.renewed[0], *self.renewed[1])
        return self.store.list_images()[0]


@dataclass
class Site:
    """What verbs work with, and what tests turn."""

    parts: AdminParts
    puller: ScriptedPuller
    conditions: list[ConditionFact]
    rig: Rig

    def use(self, image: ImageRecord) -> None:
        """Show a container that has an image."""
        self.rig.node.show_sandbox(sandbox_record())
        self.rig.node.show_container(container_record(image_id=image.id))

    def image(self, name: str) -> ImageRecord:
        found = self.parts.store.find(name)
        assert found is not None
        return found


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    rig = Rig(tmp_path)
    store = await ImageStore.open(tmp_path / "images")
    await add_image(store, APP, BASE, ONE)
    await add_image(store, WEB, BASE, TWO)
    puller = ScriptedPuller(store)
    conditions = [ConditionFact(type="RuntimeReady", ready=True, reason="", message="")]
    parts = AdminParts(
        node=rig.node,
        store=store,
        puller=cast(Puller, puller),
        pins=Pins(tmp_path / "images", store),
        conditions=lambda: conditions,
        versions=Versions(daemon="1.2", cri="v1", cri_api="v0", state_schema=3),
        started_ns=1,
    )
    yield Site(parts, puller, conditions, rig)
    puller.go.set()
    await rig.node.db.close()
    store.close()
