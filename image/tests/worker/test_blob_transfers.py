"""Transfers begin with what was kept, end with their flight given back, and go on without a file where there is none."""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncGenerator, Callable, Mapping
from pathlib import Path

import pytest

from image.errors import FailedPrecondition, ImageError, NotFound
from image.model.descriptor import UNKNOWN_SIZE, Descriptor
from image.model.digest import sha256_digest
from image.model.json_document import JsonObject
from image.registry.download import RESTART_REASON, RunningHash
from image.store.partial_blobs import partial_name
from image.worker import blob_transfers
from image.worker.blob_transfers import BlobTransfers
from image.worker.daemon_door import DaemonDoor
from image.worker.partial_file import PartialFile
from image.worker.registry_bytes import RegistryBytes

CONTENT = bytes(range(256)) * 40
BLOB = Descriptor(media_type="x", digest=sha256_digest(CONTENT), size=len(CONTENT))
STEP = 1000


class Door(DaemonDoor):
    """Plays the daemon: a flight is granted when it may be."""

    def __init__(self) -> None:
        self.said: list[tuple[object, object]] = []
        self.waits: list[str] = []
        self.granted = asyncio.Event()
        self.granted.set()

    async def ask(self, message: Mapping[str, object]) -> JsonObject:
        self.said.append((message["kind"], message["blob"]))
        await self.granted.wait()
        return JsonObject(subject="answer", fields={"kind": "flight"})

    def tell(self, message: Mapping[str, object]) -> None:
        if message["kind"] == "event":
            self.waits.append(str(message["status"]))
            return
        self.said.append((message["kind"], message.get("bytes", message.get("blob"))))


class Source(RegistryBytes):
    """Gives the content in small pieces, and fails when it is told to."""

    def __init__(self) -> None:
        self.offsets: list[int] = []
        self.fetched = 0
        self.error: ImageError | None = None

    async def pieces(
        self, blob: Descriptor, *, offset: int = 0, known: RunningHash | None = None
    ) -> AsyncGenerator[bytes, None]:
        self.offsets.append(offset)
        found = known or hashlib.sha256()
        for position in range(offset, len(CONTENT), STEP):
            piece = CONTENT[position : position + STEP]
            self.fetched += len(piece)
            found.update(piece)
            yield piece
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        if sha256_digest(CONTENT) != f"sha256:{found.hexdigest()}":
            raise FailedPrecondition("x", "has another digest", reason=RESTART_REASON)


class Site:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.path = directory / partial_name(BLOB.digest)
        self.door = Door()
        self.source = Source()

    @contextlib.asynccontextmanager
    async def transfers(self, *, keep: bool = True) -> AsyncGenerator[BlobTransfers, None]:
        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            place = self.directory if keep else None
            yield BlobTransfers(group, self.door, self.source, place)

    async def take(self, *, keep: bool = True) -> bytes:
        async with self.transfers(keep=keep) as transfers:
            return await whole(transfers)


@pytest.fixture
async def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


async def whole(transfers: BlobTransfers, blob: Descriptor = BLOB) -> bytes:
    return b"".join([piece async for piece in transfers.take(blob)])


async def until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not reached():
            await asyncio.sleep(0)


async def test_whole_blob_is_fetched_once_and_kept_for_others(site: Site) -> None:
    assert await site.take() == CONTENT
    assert site.path.read_bytes() == CONTENT
    assert site.door.waits == ["Waiting for its turn with this blob"]
    assert site.door.said == [("flight", BLOB.digest), ("flight done", BLOB.digest)]
    assert await site.take() == CONTENT
    assert site.source.offsets == [0, len(CONTENT)]
    assert site.source.fetched == len(CONTENT)
    assert ("resumed", len(CONTENT)) in site.door.said


async def test_download_goes_on_from_what_was_kept(site: Site) -> None:
    site.path.write_bytes(CONTENT[:4321])
    assert await site.take() == CONTENT
    assert site.source.offsets == [4321]
    assert ("resumed", 4321) in site.door.said


async def test_wrong_bytes_that_were_kept_are_dropped(site: Site) -> None:
    site.path.write_bytes(b"x" * 4321)
    async with site.transfers() as transfers:
        with pytest.raises(FailedPrecondition) as caught:
            await whole(transfers)
        assert caught.value.reason == RESTART_REASON
        assert not site.path.exists()
        assert await whole(transfers) == CONTENT
    assert site.source.offsets == [4321, 0]


async def test_early_download_lands_whatever_the_layer_does(site: Site) -> None:
    async with site.transfers() as transfers:
        transfers.begin([BLOB, BLOB])
        await until(lambda: ("flight done", BLOB.digest) in site.door.said)
        assert await whole(transfers) == CONTENT
    assert site.source.offsets == [0]


async def test_failure_is_told_to_whoever_takes_the_blob(site: Site) -> None:
    site.source.error = NotFound("x", "is gone")
    async with site.transfers() as transfers:
        transfers.begin([BLOB])
        await until(lambda: ("flight done", BLOB.digest) in site.door.said)
        with pytest.raises(NotFound):
            await whole(transfers)
    assert site.path.read_bytes() == CONTENT


async def test_what_is_not_wanted_is_stopped(site: Site) -> None:
    site.door.granted.clear()
    async with site.transfers() as transfers:
        transfers.begin([BLOB])
        await until(lambda: bool(site.door.said))
        transfers.keep_only({BLOB.digest})
        transfers.keep_only(set())
        site.door.granted.set()
        assert await whole(transfers) == CONTENT
    assert [kind for kind, _ in site.door.said].count("flight") == 2
    assert [kind for kind, _ in site.door.said].count("flight done") == 1


@pytest.mark.parametrize(("keep", "size"), [(False, BLOB.size), (True, UNKNOWN_SIZE), (True, 0)])
async def test_without_a_file_there_is_no_flight(site: Site, keep: bool, size: int) -> None:
    blob = Descriptor(media_type="x", digest=BLOB.digest, size=size)
    async with site.transfers(keep=keep) as transfers:
        transfers.begin([blob])
        assert await whole(transfers, blob) == CONTENT
    assert site.door.said == []
    assert site.source.offsets == [0]


async def test_without_room_the_blob_is_fetched_all_the_same(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blob_transfers, "open_partial", lambda *_: None)
    assert await site.take() == CONTENT
    assert site.door.said == [("flight", BLOB.digest), ("flight done", BLOB.digest)]


async def test_disk_that_fills_up_costs_no_byte(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = PartialFile.append

    def append(file: PartialFile, piece: bytes) -> bool:
        if file.length >= 4 * STEP:
            file.discard()
            return False
        return kept(file, piece)

    monkeypatch.setattr(PartialFile, "append", append)
    assert await site.take() == CONTENT
    assert site.source.offsets == [0, 5 * STEP]
    assert site.source.fetched == len(CONTENT)
    assert not site.path.exists()
