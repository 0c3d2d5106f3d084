"""All tags of a repository come in one message."""

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from image.errors import NotFound
from image.exchange.channel import Channel
from image.tests.exchange.test_messages import request
from image.tests.fakes.fake_registry import FakeRegistry, Fault, layer_of
from image.worker.gathering import gather
from image.worker.tags_job import list_tags


async def test_tags_are_told_in_one_message(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.setblocking(False)
    daemon, worker = await Channel.open(ours), await Channel.open(theirs)
    with FakeRegistry() as registry:
        for tag in ("v2", "v1", "v10"):
            registry.push_image("team/app", tag, layers=[layer_of({"a": b"1"})])
        registry.routes.page_size = 1
        wanted = replace(
            request(None),
            reference=f"{registry.host}/team/app:latest",
            registry_config_path=str(tmp_path),
            proxy="",
            task="tags",
        )
        await list_tags(worker, wanted, await gather(wanted))
        message = await daemon.receive()
        while message is not None and message.text("kind") == "request":  # for the counters
            message = await daemon.receive()
        assert message is not None
        assert message.texts("tags") == ("v1", "v10", "v2")
        registry.add_fault(Fault(kind="status", on="tags", status=404))
        with pytest.raises(NotFound):
            await list_tags(worker, wanted, await gather(wanted))
    await worker.close()
    await daemon.close()
