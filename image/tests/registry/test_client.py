"""The client as a whole: one pull as the worker does it, and what it remembers between requests."""

import asyncio
import contextlib
from pathlib import Path

import pytest

from image.errors import Unavailable
from image.model.digest import sha256_digest
from image.model.image_config import parse_image_config
from image.model.platform import parse_platform
from image.model.records import RegistryAuth
from image.model.reference import parse_reference
from image.model.validate import check_diff_ids, check_image_consistent, check_os_compatible
from image.protocol.circuit_breaker import Circuit
from image.registry import resolve
from image.registry.client import RegistryClient
from image.registry.endpoint_health import EndpointHealth
from image.registry.node_knowledge import NodeKnowledge
from image.tests.fakes.fake_registry import FakeRegistry, Fault, layer_of
from image.tests.registry.conftest import MakeClient, WriteHosts

AMD64 = parse_platform("linux/amd64")
LAYERS = [layer_of({"etc/motd": b"hello"}), layer_of({"bin/sh": b"x" * 5000})]


async def pull(client: RegistryClient, name: str, auth: RegistryAuth | None = None) -> list[bytes]:
    image = await client.resolve(parse_reference(name), platform=AMD64, auth=auth)
    config = parse_image_config(await client.fetch_config(image))
    check_os_compatible(config, AMD64, subject=name)
    check_image_consistent(image.manifest, config, subject=name)
    blobs = []
    for layer in image.layers:
        async with contextlib.aclosing(client.download(image, layer)) as stream:
            blobs.append(b"".join([piece async for piece in stream]))
    check_diff_ids(config, [layer.diff_id for layer in LAYERS], subject=name)
    return blobs


async def test_whole_image_is_pulled(make_client: MakeClient) -> None:
    with FakeRegistry(auth="bearer") as registry:
        registry.push_image("team/app", "v1", layers=LAYERS)
        async with make_client() as client:
            blobs = await pull(client, f"{registry.host}/team/app:v1")
        assert blobs == [layer.blob for layer in LAYERS]
        assert registry.violations == []


async def test_dead_mirror_is_tried_once_for_the_whole_image(
    make_client: MakeClient, write_hosts: WriteHosts
) -> None:
    with FakeRegistry() as registry, FakeRegistry() as mirror:
        registry.push_image("team/app", "v1", layers=LAYERS)
        mirror.add_fault(Fault(kind="reset", on="manifest", times=-1))
        write_hosts(registry.host, f'server = "{registry.url}"\n[host."{mirror.url}"]\n')
        async with make_client() as client:
            await pull(client, f"{registry.host}/team/app:v1")
        assert len(mirror.requests) == 1


async def test_change_of_hosts_toml_needs_no_restart(
    make_client: MakeClient, write_hosts: WriteHosts
) -> None:
    with FakeRegistry() as registry:
        registry.push_image("team/app", "v1", layers=LAYERS)
        async with make_client() as client:
            with pytest.raises(Unavailable):
                await pull(client, "127.0.0.1:1/team/app:v1")
            write_hosts("127.0.0.1:1", f'[host."{registry.url}"]\n')
            assert await pull(client, "127.0.0.1:1/team/app:v1")


@pytest.mark.parametrize("by_head", [True, False])
async def test_mirror_that_is_silent_costs_little_patience_once(
    make_client: MakeClient,
    write_hosts: WriteHosts,
    monkeypatch: pytest.MonkeyPatch,
    by_head: bool,
) -> None:
    monkeypatch.setattr(resolve, "MIRROR_ANSWER_SECONDS", 0.1)
    with FakeRegistry() as origin, FakeRegistry() as mirror:
        pushed = origin.push_image("team/app", "v1", layers=LAYERS)
        mirror.add_fault(Fault(kind="silence", on="manifest", times=-1))
        mirror.add_fault(Fault(kind="silence", on="head manifest", times=-1))
        write_hosts(origin.host, f'server = "{origin.url}"\n[host."{mirror.url}"]\n')
        async with make_client(stall=600.0) as client:
            reference = parse_reference(f"{origin.host}/team/app:v1")
            if by_head:
                assert await client.current_digest(reference, auth=None) is None
            image = await client.resolve(reference, platform=AMD64, auth=None)
        assert image.manifest_digest == pushed.digest
        assert await asyncio.to_thread(mirror.wait_seen, "/v2/team/app/")
        assert len(mirror.requests) == 1


async def test_lying_mirrors_are_forgotten_in_time(
    make_client: MakeClient, write_hosts: WriteHosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("image.registry.client._MAX_DISTRUSTED", 0)
    with FakeRegistry() as origin, FakeRegistry() as mirror:
        for registry in (origin, mirror):
            pushed = registry.push_image("team/app", "v1", layers=LAYERS)
        mirror.add_fault(Fault(kind="wrong_bytes", only=sha256_digest(pushed.config)))
        write_hosts(origin.host, f'server = "{origin.url}"\n[host."{mirror.url}"]\n')
        async with make_client() as client:
            assert len(await pull(client, f"{origin.host}/team/app:v1")) == 2
        assert len(mirror.seen("/blobs/")) == 4


async def test_defaults_are_those_of_a_node(tmp_path: Path) -> None:
    async with RegistryClient(node=NodeKnowledge(registry_config_path=tmp_path)) as client:
        assert isinstance(client, RegistryClient)


async def test_mirror_that_was_dead_is_trusted_after_it_answered_a_probe(
    make_client: MakeClient, write_hosts: WriteHosts
) -> None:
    with FakeRegistry() as registry, FakeRegistry() as mirror:
        for each in (registry, mirror):
            each.push_image("team/app", "v1", layers=LAYERS)
        write_hosts(registry.host, f'server = "{registry.url}"\n[host."{mirror.url}"]\n')
        answered = asyncio.Event()
        dead = {f"{mirror.url}/v2": Circuit(failures=3, open_until=0.0)}
        health = EndpointHealth(known=dead, listener=lambda url, circuit: answered.set())
        name = parse_reference(f"{registry.host}/team/app:v1")
        async with make_client(health=health) as client, asyncio.timeout(30):
            first = await client.resolve(name, platform=AMD64, auth=None)
            await answered.wait()
            second = await client.resolve(name, platform=AMD64, auth=None)
        assert (first.endpoint_url, second.endpoint_url) == (registry.url, mirror.url)


async def test_mirror_that_is_still_dead_is_left_alone_longer(
    make_client: MakeClient, write_hosts: WriteHosts
) -> None:
    told: list[Circuit | None] = []
    with FakeRegistry() as registry, FakeRegistry() as mirror:
        registry.push_image("team/app", "v1", layers=LAYERS)
        mirror.stop_listening()
        write_hosts(registry.host, f'server = "{registry.url}"\n[host."{mirror.url}"]\n')
        answered = asyncio.Event()

        def listen(_url: str, circuit: Circuit | None) -> None:
            told.append(circuit)
            answered.set()

        dead = {f"{mirror.url}/v2": Circuit(failures=3, open_until=0.0)}
        health = EndpointHealth(known=dead, listener=listen, clock=lambda: 1000.0)
        async with make_client(health=health) as client, asyncio.timeout(30):
            await pull(client, f"{registry.host}/team/app:v1")
            await answered.wait()
    assert told == [Circuit(failures=4, open_until=1240.0)]
