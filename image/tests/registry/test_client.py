"""The client as a whole: one pull as the worker does it, and what it remembers between requests."""

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
from image.registry.client import RegistryClient
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
    async with RegistryClient(registry_config_path=tmp_path) as client:
        assert isinstance(client, RegistryClient)
