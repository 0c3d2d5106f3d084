"""A store and a puller of fakes behind a real server."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cri.image_service.parts import ImageParts
from cri.image_service.service import image_methods
from cri.tests.sample_records import image_record
from cri.tests.served import channel_to, image_stub
from image.errors import ImageError
from image.model.records import FilesystemUsage, ImageRecord, RegistryAuth

if TYPE_CHECKING:
    from cri.api.api_pb2_grpc import ImageServiceAsyncStub


@dataclass
class FakeStore:
    """Images in memory."""

    images: list[ImageRecord] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    pins: tuple[str, ...] = ()

    def list_images(self) -> list[ImageRecord]:
        return self.images

    def find(self, text: str) -> ImageRecord | None:
        for one in self.images:
            if text in (one.id, *one.repo_tags, *one.repo_digests):
                return one
        return None

    async def remove(self, text: str) -> None:
        self.removed.append(text)
        self.images = [one for one in self.images if one is not self.find(text)]

    async def set_pins(self, patterns: tuple[str, ...]) -> None:
        self.pins = patterns

    def bytes_by_kind(self) -> dict[str, int]:
        return {"images": 1}

    def partial_bytes(self) -> int:
        return 7

    @property
    def resumed_bytes(self) -> int:
        return 8

    async def filesystem_usage(self) -> FilesystemUsage:
        return FilesystemUsage(mountpoint="/i", used_bytes=1, inodes_used=2, timestamp_ns=3)


@dataclass
class FakePuller:
    """Gives one image, or fails, or never ends."""

    store: FakeStore
    error: ImageError | None = None
    endless: bool = False
    asked: list[tuple[str, RegistryAuth | None]] = field(default_factory=list)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    observer: object = None

    def pulls(self) -> tuple[()]:
        return ()

    async def pull(
        self, reference_text: str, *, auth: RegistryAuth | None = None, platform: str = ""
    ) -> ImageRecord:
        self.asked.append((reference_text, auth))
        if self.error is not None:
            raise self.error
        if self.endless:
            try:
                await asyncio.Event().wait()
            finally:
                self.cancelled.set()
        record = image_record()
        self.store.images.append(record)
        return record


@dataclass
class Served:
    """A client, and what is behind the server."""

    image: "ImageServiceAsyncStub"
    store: FakeStore
    puller: FakePuller
    containers: list[FilesystemUsage]


@pytest.fixture
async def cri(tmp_path: Path) -> AsyncIterator[Served]:
    store = FakeStore()
    puller = FakePuller(store)
    containers: list[FilesystemUsage] = []

    async def container_filesystem() -> FilesystemUsage | None:
        return containers[0] if containers else None

    parts = ImageParts(
        store=store,
        puller=puller,
        container_filesystem=container_filesystem,
        handlers=frozenset({"crun", "runc"}),
    )
    async with channel_to(tmp_path, image_methods(parts)) as channel:
        yield Served(image=image_stub(channel), store=store, puller=puller, containers=containers)
