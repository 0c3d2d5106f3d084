"""What an index cannot express is extracted by a worker of its own, asked for by the daemon."""

import asyncio
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from image.errors import FailedPrecondition
from image.exchange.below_messages import read_question
from image.exchange.channel import Channel
from image.exchange.messages import read_summary
from image.pulls.below_answers import answer
from image.store.below import Answers
from image.tests.exchange.test_messages import request
from image.tests.store.tar_making import TarMaker
from image.worker.extract_job import extract_layer

BELOW = "sha256:" + "1" * 64


async def extract(staged: Path, tar: bytes) -> tuple[list[str], str]:
    """Extract a stored tar; give what was said, and the kind of layer that it became."""
    staged.mkdir()
    (staged / "tar").write_bytes(tar)
    (staged / "index").write_bytes(b"")
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.setblocking(False)
    daemon, worker = await Channel.open(ours), await Channel.open(theirs)
    wanted = replace(
        request(None),
        task="extract",
        staging=str(staged),
        below=(BELOW,),
        max_layer_entries=100,
        max_path_depth=100,
    )
    said, kind = [], ""
    try:
        async with asyncio.TaskGroup() as group:
            job = group.create_task(extract_layer(worker, wanted))
            while "extracted" not in said:
                message = await daemon.receive()
                assert message is not None
                said.append(message.text("kind"))
                if said[-1] == "below":
                    fields = answer(Answers(), *read_question(message))
                    daemon.send({**fields, "ask": message.integer("ask")})
                else:
                    kind = read_summary(message).kind
            await job
    finally:
        await daemon.close()
        await worker.close()
    return said, kind


async def test_the_tree_stands_in_place_of_tar_and_index(tmp_path: Path) -> None:
    staged = tmp_path / "layer0"
    tar = TarMaker().add("a/f", b"content").add("a/.wh.gone").done()
    assert await extract(staged, tar) == (["below", "below", "extracted"], "extract")
    assert (staged / "root/a/f").read_bytes() == b"content"
    assert not (staged / "tar").exists()
    assert not (staged / "index").exists()


async def test_a_bad_tar_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExceptionGroup) as caught:
        await extract(tmp_path / "layer0", b"\1" * 1024)
    assert [type(one) for one in caught.value.exceptions] == [FailedPrecondition]
