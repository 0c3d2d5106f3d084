"""The admin socket is for root alone, and replaces nothing but dead sockets."""

import asyncio
import os
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import cri.admin.http_server
from cri.admin.http_messages import Reply, Request
from cri.admin.http_server import HttpServer, parse_tcp_address
from runtime.errors import FailedPrecondition, InvalidArgument


async def hello(_: Request) -> Reply:
    return Reply(media_type="text/plain", body=b"hello")


@pytest.fixture
async def server() -> AsyncIterator[HttpServer]:
    one = HttpServer(hello)
    yield one
    await one.stop()


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    writer.write(b"GET / HTTP/1.1\r\nHost: l\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def test_the_socket_is_private_and_goes_with_the_server(
    tmp_path: Path, server: HttpServer
) -> None:
    path = tmp_path / "state" / "admin.sock"
    await server.listen_unix(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert (await ask(*await asyncio.open_unix_connection(str(path)))).endswith(b"hello")
    await server.stop()
    assert not path.exists()


async def test_a_dead_socket_is_replaced_and_a_file_is_not(
    tmp_path: Path, server: HttpServer
) -> None:
    dead = tmp_path / "dead.sock"
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(str(dead))
    await server.listen_unix(dead)
    file = tmp_path / "file"
    file.write_text("mine")
    with pytest.raises(FailedPrecondition, match="no socket"):
        await HttpServer(hello).listen_unix(file)
    assert file.read_text() == "mine"


async def test_another_user_gets_no_answer(
    tmp_path: Path, server: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Other:
        """The kernel's answer about a peer of uid 12345."""

        size = 12

        @staticmethod
        def unpack(_: bytes) -> tuple[int, int, int]:
            return 1, 12345, 12345

    monkeypatch.setattr(cri.admin.http_server, "_CREDENTIALS", Other)
    path = tmp_path / "admin.sock"
    await server.listen_unix(path)
    reader, writer = await asyncio.open_unix_connection(str(path))
    assert await reader.read() == b""
    writer.close()


async def test_metrics_can_be_on_tcp(server: HttpServer) -> None:
    host, port = await server.listen_tcp("127.0.0.1:0")
    assert (await ask(*await asyncio.open_connection(host, port))).endswith(b"hello")
    with pytest.raises(FailedPrecondition, match="cannot be bound"):
        await HttpServer(hello).listen_tcp(f"127.0.0.1:{port}")


async def test_stopping_ends_idle_connections(tmp_path: Path, server: HttpServer) -> None:
    path = tmp_path / "admin.sock"
    await server.listen_unix(path)
    reader, writer = await asyncio.open_unix_connection(str(path))
    await asyncio.sleep(0)
    await server.stop()
    assert await reader.read() == b""
    writer.close()
    assert not os.path.exists(path)


@pytest.mark.parametrize("text", ["", "9090", ":9090", "host:port", "host:99999"])
def test_a_bad_tcp_address_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument, match="HOST:PORT"):
        parse_tcp_address(text)


def test_tcp_addresses_are_read() -> None:
    assert parse_tcp_address("[::1]:80") == ("::1", 80)
