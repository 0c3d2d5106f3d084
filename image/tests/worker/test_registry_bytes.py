"""A download has a slot while bytes come, keeps to the rate, and needs none for what is here."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

import pytest

from image.errors import NotFound
from image.model.descriptor import Descriptor
from image.model.digest import sha256_digest
from image.model.json_document import JsonObject
from image.model.manifest import Manifest
from image.model.reference import parse_reference
from image.registry.client import RegistryClient
from image.registry.download import RunningHash
from image.registry.resolved_image import ResolvedImage
from image.worker.daemon_door import DaemonDoor
from image.worker.registry_bytes import RegistryBytes

BLOB = Descriptor(media_type="x", digest=sha256_digest(b"0123456789"), size=10)
IMAGE = ResolvedImage(
    reference=parse_reference("r.test/app:1"),
    target_digest=BLOB.digest,
    manifest_digest=BLOB.digest,
    manifest_bytes=b"",
    manifest=Manifest(media_type="m", config=BLOB, layers=(BLOB, BLOB)),
    config=BLOB,
    layers=(BLOB, BLOB),
    endpoint_url="",
)


class Door(DaemonDoor):
    def __init__(self) -> None:
        self.said: list[dict[str, object]] = []
        self.bytes_per_second = 0

    async def ask(self, message: Mapping[str, object]) -> JsonObject:
        self.said.append(dict(message))
        return JsonObject(subject="answer", fields={"kind": "slot"})

    def tell(self, message: Mapping[str, object]) -> None:
        self.said.append(dict(message))


class Client(RegistryClient):
    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    async def download(
        self,
        image: ResolvedImage,
        layer: Descriptor,
        *,
        offset: int = 0,
        known: RunningHash | None = None,
    ) -> AsyncGenerator[bytes, None]:
        for position in range(offset, 10, 5):
            yield b"0123456789"[position : position + 5]
        if self.error:
            raise self.error


async def test_slot_is_asked_for_the_whole_image_and_given_back() -> None:
    door = Door()
    source = RegistryBytes(door, Client(), IMAGE)
    assert [piece async for piece in source.pieces(BLOB, offset=5)] == [b"56789"]
    event = door.said.pop(0)
    assert (event["status"], event["total"]) == ("Waiting for a download slot", 10)
    assert door.said == [{"kind": "slot", "size": 20}, {"kind": "slot done"}]


async def test_slot_is_given_back_after_a_failure_and_by_a_reader_who_leaves() -> None:
    door = Door()
    with pytest.raises(NotFound):
        async for _ in RegistryBytes(door, Client(NotFound("x", "is gone")), IMAGE).pieces(BLOB):
            pass
    async with aclosing(RegistryBytes(door, Client(), IMAGE).pieces(BLOB)) as pieces:
        await anext(pieces)
    assert [one["kind"] for one in door.said] == ["event", "slot", "slot done"] * 2


async def test_nothing_is_asked_for_a_blob_that_is_all_here() -> None:
    door = Door()
    source = RegistryBytes(door, Client(), IMAGE)
    known = hashlib.sha256(b"0123456789")
    assert [piece async for piece in source.pieces(BLOB, offset=10, known=known)] == []
    assert door.said == []


async def test_rate_of_the_node_is_kept() -> None:
    door = Door()
    door.bytes_per_second = 200
    before = asyncio.get_running_loop().time()
    async for _ in RegistryBytes(door, Client(), IMAGE).pieces(BLOB):
        pass
    assert asyncio.get_running_loop().time() - before >= 0.02
