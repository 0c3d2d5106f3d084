"""Endpoints come in one message."""

import socket
from dataclasses import replace
from pathlib import Path

from image.exchange.channel import Channel
from image.tests.exchange.test_messages import request
from image.tests.fakes.fake_registry import FakeRegistry, layer_of
from image.worker.gathering import gather
from image.worker.resolve_job import report_endpoints


async def test_endpoints_are_told_in_one_message(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.setblocking(False)
    daemon, worker = await Channel.open(ours), await Channel.open(theirs)
    with FakeRegistry() as registry:
        registry.push_image("team/app", "v1", layers=[layer_of({"a": b"1"})])
        wanted = replace(
            request(None),
            reference=f"{registry.host}/team/app:v1",
            registry_config_path=str(tmp_path),
            proxy="",
            task="resolve",
        )
        await report_endpoints(worker, wanted, await gather(wanted))
        message = await daemon.receive()
        while message is not None and message.text("kind") == "request":  # for the counters
            message = await daemon.receive()
        assert message is not None
        (one,) = message.children("endpoints")
        assert (one.text("result"), one.text("rule")) == ("200", "origin")
    await worker.close()
    await daemon.close()
