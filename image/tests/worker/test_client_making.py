"""The client starts with what the daemon knows of endpoints, and tells what it learns."""

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from image.errors import Unavailable
from image.exchange.channel import Channel
from image.model.platform import parse_platform
from image.model.reference import parse_reference
from image.registry.endpoint_rounds import EndpointRounds
from image.registry.node_knowledge import NodeKnowledge
from image.tests.exchange.test_messages import request
from image.tests.fakes.fake_registry import FakeRegistry, layer_of
from image.worker.client_making import make_client
from image.worker.daemon_door import DaemonDoor


async def test_dead_mirror_is_told_once_and_asked_last_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EndpointRounds, "_start_round", _no_round)
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.setblocking(False)
    daemon, worker = await Channel.open(ours), await Channel.open(theirs)
    with FakeRegistry() as registry, FakeRegistry() as mirror:
        registry.push_image("app", "v1", layers=[layer_of({"a": b"1"})])
        mirror.stop_listening()
        (tmp_path / registry.host).mkdir()
        (tmp_path / registry.host / "hosts.toml").write_text(
            f'server = "{registry.url}"\n[host."{mirror.url}"]\n'
        )
        wanted = replace(request(None), proxy="")
        name, platform = parse_reference(f"{registry.host}/app:v1"), parse_platform("linux/amd64")
        node = NodeKnowledge(registry_config_path=tmp_path)
        async with make_client(wanted, DaemonDoor(worker, "it"), node) as client:
            await client.resolve(name, platform=platform, auth=None)
            await client.resolve(name, platform=platform, auth=None)
    told = await daemon.receive()
    assert told is not None
    assert (told.text("host"), told.text("answer")) == (mirror.host, "failed")
    told = await daemon.receive()
    assert told is not None
    assert told.text("kind") == "circuit"
    assert told.text("url") == f"{mirror.url}/v2"
    assert told.integer("failures") == 1
    assert told.integer("open_until_ms") > 0
    await worker.close()
    answers = []
    while (told := await daemon.receive()) is not None:
        answers.append((told.text("kind"), told.text("host"), told.text("answer")))
    assert set(answers) == {("request", registry.host, "2xx")}
    await daemon.close()


async def _no_round(_self: EndpointRounds) -> None:
    raise Unavailable("it", "was asked twice")
