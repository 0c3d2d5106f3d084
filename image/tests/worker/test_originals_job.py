"""A blob that comes damaged is fetched once more, and old images are refused."""

import asyncio
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from image.errors import FailedPrecondition
from image.exchange.channel import Channel
from image.exchange.staged_originals import blob_place
from image.model.digest import matches_digest, parse_digest
from image.tests.exchange.test_messages import request
from image.tests.fakes.fake_registry import FakeRegistry, Fault, layer_of
from image.worker.gathering import gather
from image.worker.originals_job import OriginalsJob


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry() as registry:
        yield registry


async def serve(channel: Channel) -> list[str]:
    """Give every download a slot until the worker's end is closed; return what it told."""
    told = []
    while (message := await channel.receive()) is not None:
        kind = message.text("kind")
        told.append(kind)
        if kind == "slot":
            channel.send({"kind": "slot", "ask": message.integer("ask")})
    return told


async def run(registry: FakeRegistry, staging: Path, reference: str) -> list[str]:
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.setblocking(False)
    daemon, worker = await Channel.open(ours), await Channel.open(theirs)
    wanted = replace(
        request(None),
        reference=reference,
        staging=str(staging),
        registry_config_path=str(staging / "certs"),
        platform="linux/amd64",
        proxy="",
        task="originals",
        known=(),
    )
    try:
        async with asyncio.TaskGroup() as group:
            served = group.create_task(serve(daemon), name="daemon")
            try:
                await OriginalsJob(worker, wanted, await gather(wanted)).run()
            finally:
                await worker.close()
        return served.result()
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from failures
    finally:
        await daemon.close()


async def test_a_damaged_blob_is_fetched_once_more(registry: FakeRegistry, tmp_path: Path) -> None:
    pushed = registry.push_image("team/app", "v1", layers=[layer_of({"a": b"1" * 5000})])
    registry.add_fault(Fault(kind="reset", on="blob", at_byte=100))
    told = await run(registry, tmp_path, f"{pushed.name}@{pushed.digest}")
    assert told[-1] == "unchanged"
    (blob,) = pushed.layers
    content = blob_place(tmp_path, blob.digest).read_bytes()
    assert matches_digest(content, parse_digest(blob.digest))


async def test_a_lie_is_refused(registry: FakeRegistry, tmp_path: Path) -> None:
    pushed = registry.push_image("team/app", "v1", layers=[layer_of({"a": b"1" * 5000})])
    registry.add_fault(Fault(kind="wrong_bytes", on="blob", times=-1))
    with pytest.raises(FailedPrecondition):
        await run(registry, tmp_path, f"{pushed.name}@{pushed.digest}")
