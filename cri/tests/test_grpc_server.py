"""The CRI socket: who can open it, what it replaces, how it ends."""

import asyncio
import os
import stat
from pathlib import Path

import grpc.aio
import pytest

from cri.api import api_pb2
from cri.grpc_methods import MethodTable
from cri.grpc_server import MESSAGE_LIMIT, CriServer, socket_path
from cri.tests.served import channel_to, runtime_stub
from runtime.errors import FailedPrecondition, InvalidArgument

SERVICE = api_pb2.DESCRIPTOR.services_by_name["RuntimeService"]


@pytest.mark.parametrize(
    "address", ["", "/run/x.sock", "unix://x.sock", "unix:///", "tcp://1:2", f"unix:///{'x' * 120}"]
)
def test_only_path_sockets_that_fit_are_addresses(address: str) -> None:
    with pytest.raises(InvalidArgument):
        socket_path(address)


def test_a_path_address_gives_its_path() -> None:
    assert socket_path("unix:///run/lading/lading.sock") == Path("/run/lading/lading.sock")


async def test_the_socket_is_for_its_owner_alone_and_the_umask_is_restored(
    tmp_path: Path,
) -> None:
    before = os.umask(0o022)
    try:
        server = CriServer(f"unix://{tmp_path}/s", [])
        await server.start()
        assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o600
        assert os.umask(0o022) == 0o022
        await server.stop(0.0)
    finally:
        os.umask(before)


async def test_a_dead_socket_is_replaced_and_nothing_is_left_at_the_end(tmp_path: Path) -> None:
    address = f"unix://{tmp_path}/s"
    for _ in range(2):
        server = CriServer(address, [])
        await server.start()
        await server.stop(0.0)
        assert list(tmp_path.iterdir()) == []
        os.mknod(tmp_path / "s", stat.S_IFSOCK | 0o600)


async def test_a_file_that_is_no_socket_is_never_touched(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("precious")
    with pytest.raises(FailedPrecondition, match="no socket"):
        await CriServer(f"unix://{tmp_path}/s", []).start()
    assert (tmp_path / "s").read_text() == "precious"


async def test_a_directory_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(FailedPrecondition, match="cannot be bound"):
        await CriServer(f"unix://{tmp_path}/none/s", []).start()


async def test_stopping_a_server_that_was_not_started_is_fine(tmp_path: Path) -> None:
    await CriServer(f"unix://{tmp_path}/s", []).stop(0.0)


async def test_running_calls_finish_before_the_server_ends(tmp_path: Path) -> None:
    entered, release = asyncio.Event(), asyncio.Event()

    async def slow(request: api_pb2.VersionRequest) -> api_pb2.VersionResponse:
        entered.set()
        await release.wait()
        return api_pb2.VersionResponse(version="done")

    table = MethodTable(SERVICE)
    table.unary("Version", slow)
    server = CriServer(f"unix://{tmp_path}/s", [table.registration()])
    await server.start()
    async with grpc.aio.insecure_channel(f"unix://{tmp_path}/s") as channel:
        call = asyncio.ensure_future(runtime_stub(channel).Version(api_pb2.VersionRequest()))
        await entered.wait()
        stopping = asyncio.create_task(server.stop(30.0))
        release.set()
        await stopping
        assert (await call).version == "done"


async def test_messages_above_grpcs_default_of_4_mib_pass(tmp_path: Path) -> None:
    sizes: list[int] = []

    async def version(request: api_pb2.VersionRequest) -> api_pb2.VersionResponse:
        sizes.append(len(request.version))
        return api_pb2.VersionResponse()

    table = MethodTable(SERVICE)
    table.unary("Version", version)
    async with channel_to(tmp_path, table) as channel:
        await runtime_stub(channel).Version(api_pb2.VersionRequest(version="x" * 5_000_000))
    assert sizes == [5_000_000]
    assert MESSAGE_LIMIT == 80 * 1024 * 1024
