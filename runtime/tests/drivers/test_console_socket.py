"""Tests of receiving a terminal."""

import asyncio
import os
import socket
from pathlib import Path

import pytest

from runtime.drivers.console_socket import ConsoleSocket
from runtime.errors import Internal


async def test_descriptor_arrives_and_the_socket_goes(tmp_path: Path) -> None:
    read, write = os.pipe()
    with ConsoleSocket(tmp_path) as console, socket.socket(socket.AF_UNIX) as runtime:
        assert console.path.parent.stat().st_mode & 0o777 == 0o700
        runtime.connect(str(console.path))
        socket.send_fds(runtime, [b"/dev/pts/0"], [read])
        got = await console.receive("exec")
    os.write(write, b"x")
    assert os.read(got, 1) == b"x"
    assert not os.get_blocking(got)
    assert not os.get_inheritable(got)
    for descriptor in (read, write, got):
        os.close(descriptor)
    assert list(tmp_path.iterdir()) == []


async def test_message_may_come_later(tmp_path: Path) -> None:
    read, write = os.pipe()
    with ConsoleSocket(tmp_path) as console, socket.socket(socket.AF_UNIX) as runtime:
        runtime.connect(str(console.path))
        async with asyncio.TaskGroup() as group:
            received = group.create_task(console.receive("exec"))
            for _ in range(5):
                await asyncio.sleep(0)
            socket.send_fds(runtime, [b"x"], [read])
    for descriptor in (read, write, received.result()):
        os.close(descriptor)


async def test_runtime_that_sends_nothing_is_a_fault(tmp_path: Path) -> None:
    with ConsoleSocket(tmp_path) as console, socket.socket(socket.AF_UNIX) as runtime:
        runtime.connect(str(console.path))
        runtime.send(b"only text")
        with pytest.raises(Internal) as caught:
            await console.receive("exec")
    assert caught.value.reason == "TerminalMissing"


async def test_directory_that_was_removed_meanwhile_is_no_error(tmp_path: Path) -> None:
    with ConsoleSocket(tmp_path) as console:
        console.path.unlink()
        console.path.parent.rmdir()


async def test_size_is_set_when_the_terminal_arrives_not_when_it_is_taken(tmp_path: Path) -> None:
    master, slave = os.openpty()
    with ConsoleSocket(tmp_path, (101, 33)) as console, socket.socket(socket.AF_UNIX) as runtime:
        runtime.connect(str(console.path))
        socket.send_fds(runtime, [b"/dev/pts/0"], [master])
        for _ in range(5):
            await asyncio.sleep(0)
        assert os.get_terminal_size(slave) == (101, 33)
    os.close(master)
    os.close(slave)


async def test_terminal_that_nobody_waits_for_any_more_is_closed(tmp_path: Path) -> None:
    read, write = os.pipe()
    with ConsoleSocket(tmp_path) as console, socket.socket(socket.AF_UNIX) as runtime:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await console.receive("exec")
        runtime.connect(str(console.path))
        socket.send_fds(runtime, [b"x"], [write])
        for _ in range(5):
            await asyncio.sleep(0)
    os.close(write)
    assert os.read(read, 1) == b""  # no copy of the other end is open
    os.close(read)
