"""Tests of the real worker process at its ends; whole pulls are in test_pull.py."""

import asyncio
import os
import socket
from pathlib import Path

from image.exchange.channel import Channel
from image.pulls.worker_conversation import worker_argv, worker_environment
from image.tests.pulls.subprocess_launcher import SubprocessLauncher
from image.worker.main import EXIT_FAILED, EXIT_ORPHANED


async def _started(argv: tuple[str, ...] | None = None) -> tuple[Channel, asyncio.Task[int]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    fd = theirs.fileno()
    worker = await SubprocessLauncher().launch(
        worker_argv(fd), env=worker_environment(), pass_fds=(fd,)
    )
    theirs.close()
    return await Channel.open(ours), asyncio.get_running_loop().create_task(worker.wait())


async def test_worker_ends_with_its_daemon() -> None:
    channel, ended = await _started()
    await channel.close()
    async with asyncio.timeout(60):
        assert await ended in (EXIT_ORPHANED, EXIT_FAILED)


async def test_request_that_cannot_be_read_is_answered(tmp_path: Path) -> None:
    channel, ended = await _started()
    channel.send({"kind": "request"})
    answer = await channel.receive()
    assert answer is not None
    assert (answer.text("kind"), answer.text("class")) == ("error", "FailedPrecondition")
    await channel.close()
    await ended
    assert os.listdir(tmp_path) == []
