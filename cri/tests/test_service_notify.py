"""The service manager hears what sd_notify(3) promises it."""

import asyncio
import os
import socket
from pathlib import Path

import pytest

from cri.service_notify import ServiceNotifier


def listener(path: Path) -> socket.socket:
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    channel.bind(str(path))
    channel.setblocking(False)
    return channel


def test_ready_and_stopping_are_sent(tmp_path: Path) -> None:
    with listener(tmp_path / "n") as channel:
        notifier = ServiceNotifier({"NOTIFY_SOCKET": str(tmp_path / "n")})
        notifier.ready("ready in 0.1 s")
        notifier.stopping()
        assert channel.recv(100) == b"READY=1\nSTATUS=ready in 0.1 s"
        assert channel.recv(100).startswith(b"STOPPING=1\n")


def test_an_abstract_address_works() -> None:
    name = f"lading-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(f"\0{name}")
        channel.setblocking(False)
        ServiceNotifier({"NOTIFY_SOCKET": f"@{name}"}).ready("x")
        assert channel.recv(100).startswith(b"READY=1")


def test_nobody_listening_is_no_failure(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ServiceNotifier({}).ready("x")
    assert caplog.text == ""
    ServiceNotifier({"NOTIFY_SOCKET": str(tmp_path / "none")}).ready("x")
    assert "was not told" in caplog.text


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "60000000"}, None),
        ({"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "60000000"}, 60.0),
        ({"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}, None),
        ({"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "x"}, None),
    ],
)
def test_the_watchdog_is_fed_only_when_it_waits_for_us(
    environment: dict[str, str], wanted: float | None
) -> None:
    assert ServiceNotifier(environment).watchdog_seconds == wanted


async def test_the_watchdog_hears_at_once(tmp_path: Path) -> None:
    with listener(tmp_path / "n") as channel:
        environment = {"NOTIFY_SOCKET": str(tmp_path / "n"), "WATCHDOG_USEC": "60000000"}
        task = asyncio.create_task(ServiceNotifier(environment).feed_watchdog())
        received = await asyncio.get_running_loop().sock_recv(channel, 100)
        task.cancel()
        assert received == b"WATCHDOG=1"


async def test_without_watchdog_feeding_ends_at_once() -> None:
    await ServiceNotifier({}).feed_watchdog()
