"""Pipes and sockets on the event loop."""

import asyncio
import fcntl
import os
import pty
import socket
from collections.abc import Iterator

import pytest

from cri.streaming.descriptor_streams import (
    PIPE_SIZE,
    DescriptorReader,
    DescriptorWriter,
    enlarge_pipe,
)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    read, write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    yield read, write
    for descriptor in (read, write):
        try:
            os.close(descriptor)
        except OSError:
            continue


async def test_reading_waits_for_bytes_and_for_the_end(pipe: tuple[int, int]) -> None:
    read, write = pipe
    reader = DescriptorReader(read)
    assert reader.read_now() is None
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(reader.read())
        await asyncio.sleep(0)
        os.write(write, b"late")
    assert waiting.result() == b"late"
    os.close(write)
    assert await reader.read() == b""


async def test_everything_is_written_however_slowly_it_is_read(pipe: tuple[int, int]) -> None:
    read, write = pipe
    data = os.urandom(3 * PIPE_SIZE)
    got: list[bytes] = []

    async def take() -> None:
        reader = DescriptorReader(read, 4096)
        while sum(map(len, got)) < len(data):
            got.append(await reader.read())
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        group.create_task(take())
        assert await DescriptorWriter(write).write(data)
    assert b"".join(got) == data


async def test_a_busy_pipe_is_made_larger(pipe: tuple[int, int]) -> None:
    read, write = pipe
    os.write(write, bytes(65536))
    await DescriptorReader(read).read()
    assert fcntl.fcntl(read, fcntl.F_GETPIPE_SZ) in (65536, PIPE_SIZE)  # as the kernel allows
    with socket.socket() as other:
        enlarge_pipe(other.fileno())


async def test_a_reader_that_is_gone_is_told(pipe: tuple[int, int]) -> None:
    read, write = pipe
    os.close(read)
    assert not await DescriptorWriter(write).write(b"x")


async def test_messages_are_cut_to_the_longest_write() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        ours.setblocking(False)
        assert await DescriptorWriter(ours.fileno(), 4).write(b"abcdef")
        assert [theirs.recv(100), theirs.recv(100)] == [b"abcd", b"ef"]


async def test_the_end_of_a_terminal_is_an_end() -> None:
    master, slave = pty.openpty()
    try:
        os.set_blocking(master, False)
        os.close(slave)
        assert await DescriptorReader(master).read() == b""
    finally:
        os.close(master)
