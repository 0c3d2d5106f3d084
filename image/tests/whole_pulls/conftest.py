"""A node of its own for each test: store, puller and the workers that they start."""

import os
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from image.model.records import ImageRecord
from image.pulls.puller import Puller, PullEvent, PullSettings
from image.store.image_store import ImageStore
from image.tests.fakes.fake_registry import FakeRegistry
from image.tests.pulls.subprocess_launcher import SubprocessLauncher, TaskKeeper


class PullSite:
    """A node and the events of its pulls."""

    def __init__(self, store: ImageStore, directory: Path) -> None:
        self.store = store
        self.directory = directory
        self.launcher = SubprocessLauncher()
        self.tasks = TaskKeeper()
        self.events: list[PullEvent] = []
        self.certs = directory / "certs"
        self.settings = PullSettings(
            registry_config_path=str(self.certs), platform="linux/amd64", layer_store="extract"
        )
        self.use()

    def use(self, **settings: object) -> None:
        """Go on with other settings."""
        self.settings = replace(self.settings, **settings)  # type: ignore[arg-type]
        self.puller = Puller(self.store, self.settings, self.launcher, self.tasks)

    async def pull(self, name: str, platform: str = "") -> ImageRecord:
        return await self.puller.pull(name, platform=platform, on_event=self.events.append)

    def statuses(self) -> list[str]:
        return [event.status for event in self.events]

    def write_hosts(self, domain: str, text: str) -> None:
        (self.certs / domain).mkdir(parents=True)
        (self.certs / domain / "hosts.toml").write_text(text)


MakeRegistry = Callable[[], FakeRegistry]


@pytest.fixture
def make_registry() -> Iterator[MakeRegistry]:
    running: list[FakeRegistry] = []

    def make() -> FakeRegistry:
        running.append(FakeRegistry().__enter__())
        return running[-1]

    yield make
    for registry in running:
        registry.__exit__(None, None, None)
        assert registry.violations == []


@pytest.fixture
def registry(make_registry: MakeRegistry) -> FakeRegistry:
    return make_registry()


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[PullSite]:
    site = PullSite(await ImageStore.open(tmp_path / "images"), tmp_path)
    yield site
    await site.puller.close()
    await site.tasks.wait_all()
    assert site.puller.running() == ()
    assert os.listdir(site.store.root / "staging") == []
    assert all(not os.path.exists(f"/proc/{worker.pid}") for worker in site.launcher.started)
    site.store.close()
