"""Layers are made in parallel, finished bottom first, and fetched once more when joined bytes were wrong."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from image.errors import FailedPrecondition, ImageError, NotFound
from image.exchange.below_messages import read_question
from image.exchange.messages import PullEvent
from image.model.descriptor import Descriptor
from image.model.image_config import parse_image_config
from image.model.json_document import JsonObject
from image.pulls.below_answers import answer
from image.registry.download import RESTART_REASON
from image.store.lower_view import LowerView
from image.tests.exchange.test_messages import over_the_wire, request
from image.tests.fakes.fake_registry import PushedLayer, config_of, layer_of
from image.worker.daemon_door import DaemonDoor
from image.worker.layer_making import LayerMaking, PlannedLayer, plan_layers
from image.worker.limits import thread_count

LAYERS = [layer_of({"a": b"1" * 5000}), layer_of({"b": b"2"}), layer_of({"c": b"3"})]


class Door(DaemonDoor):
    """Plays the daemon: publishes what is staged, and answers claims from a table."""

    def __init__(self, tmp_path: Path, states: Mapping[str, str]) -> None:
        self.place = tmp_path
        self.states = states
        self.asked: list[dict[str, object]] = []

    async def ask(self, message: Mapping[str, object]) -> JsonObject:
        self.asked.append(dict(message))
        answer: dict[str, object] = {}
        if message["kind"] == "claim":
            chains = message["chains"]
            assert isinstance(chains, list)
            answer = {chain: self.states.get(chain, "yours") for chain in chains}
        elif message["kind"] == "below":
            return self.look(over_the_wire(message))
        elif message["kind"] == "wait":
            answer = {str(message["chain"]): "yours"}
        else:
            chain = str(message["chain"])
            staged = self.place / "staging" / str(message["staged"])
            (staged / "layer.json").write_text('{"opaque": []}')
            staged.rename(self.place / "layers" / chain.partition(":")[2])
        return JsonObject(subject="answer", fields={"states": answer})

    def look(self, message: JsonObject) -> JsonObject:
        places = [self.place / "layers" / c.partition(":")[2] for c in message.texts("layers")]
        with contextlib.closing(LowerView(places)) as below:
            return over_the_wire(answer(below, *read_question(message)))

    def staged(self) -> list[object]:
        return [each["staged"] for each in self.asked if each["kind"] == "layer"]


class Site:
    def __init__(self, tmp_path: Path, states: Mapping[str, str] | None = None) -> None:
        for name in ("staging", "layers"):
            (tmp_path / name).mkdir()
        self.door = Door(tmp_path, states or {})
        self.request = replace(
            request(None),
            staging=str(tmp_path / "staging"),
            max_layer_bytes=10**9,
            max_layer_entries=100,
            max_path_depth=100,
        )
        self.blobs = {layer.digest: layer.blob for layer in LAYERS}
        self.failures: dict[str, list[ImageError]] = {}
        self.events: list[PullEvent] = []
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(thread_count(3)))

    async def fetch(self, blob: Descriptor) -> AsyncGenerator[bytes, None]:
        yield self.blobs[blob.digest]
        failures = self.failures.get(blob.digest)
        if failures:
            raise failures.pop()

    def plan(self, layers: list[PushedLayer]) -> tuple[PlannedLayer, ...]:
        descriptors = [
            Descriptor(media_type=each.media_type, digest=each.digest, size=len(each.blob))
            for each in layers
        ]
        return plan_layers(descriptors, parse_image_config(config_of(layers)), self.events.append)

    async def make(self, layers: list[PushedLayer]) -> None:
        making = LayerMaking(self.door, self.request, self.fetch)
        planned = self.plan(layers)
        async with asyncio.timeout(30):
            await making.make(planned, await making.claim(planned))


async def test_layers_are_finished_bottom_first(tmp_path: Path) -> None:
    site = Site(tmp_path)
    await site.make(LAYERS)
    assert site.door.staged() == ["layer0", "layer1", "layer2"]
    assert [event.status for event in site.events].count("Pull complete") == 3


async def test_wrong_bytes_of_a_joined_transfer_are_fetched_once_more(tmp_path: Path) -> None:
    site = Site(tmp_path)
    wrong = FailedPrecondition("x", "has another digest", reason=RESTART_REASON)
    site.failures[LAYERS[0].digest] = [wrong]
    await site.make(LAYERS[:1])
    assert site.door.staged() == ["layer0again"]


async def test_other_failures_are_final(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.failures[LAYERS[1].digest] = [NotFound("x", "is gone")]
    with pytest.raises(NotFound):
        await site.make(LAYERS)


async def test_present_layers_are_not_fetched_and_busy_ones_waited_for(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    plan = Site(tmp_path / "other").plan(LAYERS[:2])
    states = {plan[0].record.chain_id: "present", plan[1].record.chain_id: "busy"}
    site = Site(tmp_path, states)
    place = tmp_path / "layers" / plan[0].record.chain_id.partition(":")[2]
    (place / "root").mkdir(parents=True)
    (place / "layer.json").write_text('{"opaque": []}')
    del site.blobs[LAYERS[0].digest]
    await site.make(LAYERS[:2])
    assert [each["kind"] for each in site.door.asked] == ["claim", "wait", "below", "layer"]
    assert "Already exists" in [event.status for event in site.events]
