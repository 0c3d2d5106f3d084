"""Tests of a pull inside the worker, with a real registry client against the registry in this process."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from image.errors import FailedPrecondition, ImageError
from image.exchange.below_messages import read_question
from image.exchange.channel import Channel
from image.exchange.messages import WorkerRequest
from image.model.json_document import JsonObject
from image.model.records import LayerRecord
from image.pulls.below_answers import answer
from image.store.below import Answers
from image.tests.exchange.test_messages import request
from image.tests.fakes.fake_registry import FakeRegistry, Fault, config_of, layer_of
from image.worker.gathering import gather
from image.worker.limits import thread_count
from image.worker.pull_job import PullJob


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry() as registry:
        yield registry


class Daemon:
    """Plays the daemon: every layer is the worker's to make, and is published where the worker looks for it."""

    def __init__(self, channel: Channel, paths: WorkerRequest, states: dict[str, str]) -> None:
        self._channel = channel
        self._paths = paths
        self._states = states
        self.said: list[JsonObject] = []
        self.known: list[LayerRecord] = []
        self.fresh: list[str] = []

    async def serve(self) -> None:
        while (message := await self._channel.receive()) is not None:
            self.said.append(message)
            match message.text("kind"):
                case "config":
                    self._answer(
                        message,
                        kind="config",
                        config=None,
                        layers=[asdict(layer) for layer in self.known],
                        fresh=self.fresh or list(message.texts("blobs")),
                    )
                case "claim":
                    states = {c: self._states.get(c, "yours") for c in message.texts("chains")}
                    self._answer(message, kind="claims", states=states)
                case "wait":
                    self._answer(message, kind="claims", states={message.text("chain"): "yours"})
                case "slot":
                    self._answer(message, kind="slot")
                case "below":
                    self._answer(message, **answer(Answers(), *read_question(message)))
                case "flight":
                    self._answer(message, kind="flight", blob=message.text("blob"))
                case "layer":
                    self._publish(message)

    def _answer(self, question: JsonObject, **fields: object) -> None:
        self._channel.send({"ask": question.integer("ask"), **fields})

    def _publish(self, message: JsonObject) -> None:
        chain = message.text("chain")
        staged = Path(self._paths.staging) / message.text("staged")
        (staged / "layer.json").write_text('{"opaque": []}')
        staged.rename(Path(self._paths.staging).parent / "layers" / chain.partition(":")[2])
        self._answer(message, kind="claims", states={chain: "present"})

    def statuses(self) -> list[str]:
        return [m.text("status") for m in self.said if m.text("kind") == "event"]


class Site:
    def __init__(self, tmp_path: Path, registry: FakeRegistry) -> None:
        for name in ("staging", "layers", "certs"):
            (tmp_path / name).mkdir()
        self.registry = registry
        self.request = replace(
            request(None),
            staging=str(tmp_path / "staging"),
            registry_config_path=str(tmp_path / "certs"),
            proxy="",
            require_schema2=False,
            max_layer_bytes=1 << 30,
            max_layer_entries=1000,
            max_path_depth=100,
        )

    async def pull(self, reference: str, states: dict[str, str] | None = None) -> Daemon:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        daemon_end, worker_end = await Channel.open(ours), await Channel.open(theirs)
        wanted = replace(self.request, reference=reference)
        daemon = Daemon(daemon_end, wanted, states or {})
        try:
            async with asyncio.timeout(30), asyncio.TaskGroup() as group:
                group.create_task(daemon.serve())
                try:
                    await PullJob(worker_end, wanted, await gather(wanted)).run()
                finally:
                    await worker_end.close()
        finally:
            await daemon_end.close()
        return daemon


@pytest.fixture
async def site(tmp_path: Path, registry: FakeRegistry) -> AsyncIterator[Site]:
    executor = ThreadPoolExecutor(thread_count(3))  # as the worker's entry does
    asyncio.get_running_loop().set_default_executor(executor)
    yield Site(tmp_path, registry)
    assert registry.violations == []


async def _failure(site: Site, reference: str) -> ImageError:
    with pytest.raises(ExceptionGroup) as caught:
        await site.pull(reference)
    error = caught.value.exceptions[0]
    assert isinstance(error, ImageError)
    return error


async def test_image_is_built_bottom_first_and_handed_over_once(site: Site) -> None:
    layers = [layer_of({"a": b"1"}), layer_of({"b": b"2"}), layer_of({"c": b"3"})]
    image = site.registry.push_image("team/app", "v1", layers=layers)
    daemon = await site.pull(f"{image.name}:v1")
    order = [m.text("staged") for m in daemon.said if m.text("kind") == "layer"]
    assert order == ["layer0", "layer1", "layer2"]
    assert daemon.said[-1].text("kind") == "commit"
    assert daemon.said[-1].text("config_digest") == image.config_digest
    statuses = daemon.statuses()
    assert statuses[0] == "Pulling from team/app"
    assert statuses.count("Pull complete") == 3
    assert f"Digest: {image.digest}" in statuses
    assert statuses[-1].startswith("Status: Downloaded newer image for")


async def test_layer_of_another_pull_is_made_when_that_one_fails(site: Site) -> None:
    layer = layer_of({"a": b"1"})
    image = site.registry.push_image("app", "v1", layers=[layer])
    daemon = await site.pull(f"{image.name}:v1", {layer.diff_id: "busy"})
    assert [m.text("kind") for m in daemon.said if m.text("kind") in ("wait", "layer")] == [
        "wait",
        "layer",
    ]


async def test_present_layer_is_not_downloaded(site: Site, tmp_path: Path) -> None:
    layer = layer_of({"a": b"1"})
    image = site.registry.push_image("app", "v1", layers=[layer])
    daemon = await site.pull(f"{image.name}:v1", {layer.diff_id: "present"})
    assert "Already exists" in daemon.statuses()
    assert not any(seen.path.endswith(layer.digest) for seen in site.registry.requests)


async def test_config_with_other_diff_ids_is_refused(site: Site) -> None:
    one, two = layer_of({"a": b"1"}), layer_of({"b": b"2"})
    image = site.registry.push_image("app", "v1", layers=[one], config=config_of([two]))
    assert "don't match image configuration" in str(await _failure(site, f"{image.name}:v1"))


async def test_image_of_another_system_costs_no_layer(site: Site) -> None:
    layer = layer_of({"a": b"1"})
    config = config_of([layer], os="windows")
    image = site.registry.push_image("app", "v1", layers=[layer], config=config)
    error = await _failure(site, f"{image.name}:v1")
    assert isinstance(error, FailedPrecondition)
    assert not any(seen.path.endswith(layer.digest) for seen in site.registry.requests)


async def test_broken_transfer_is_resumed(site: Site, tmp_path: Path) -> None:
    layer = layer_of({"a": bytes(range(256)) * 2000}, compress=False)
    image = site.registry.push_image("app", "v1", layers=[layer])
    site.registry.add_fault(Fault(kind="reset", at_byte=100_000, only=layer.digest))
    await site.pull(f"{image.name}:v1")
    assert (tmp_path / "layers" / layer.diff_id[7:] / "root/a").stat().st_size == 512_000
