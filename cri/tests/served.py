"""Serves method tables on a socket in a temporary directory, and gives typed stubs to call them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

import grpc
import grpc.aio
import pytest

from cri.api import api_pb2_grpc
from cri.grpc_methods import MethodTable
from cri.grpc_server import CriServer

if TYPE_CHECKING:
    from cri.api.api_pb2_grpc import ImageServiceAsyncStub, RuntimeServiceAsyncStub

Response = TypeVar("Response")


@asynccontextmanager
async def channel_to(directory: Path, *tables: MethodTable) -> AsyncIterator[grpc.aio.Channel]:
    """Serve the tables and connect to them."""
    address = f"unix://{directory}/cri.sock"
    server = CriServer(address, [table.registration() for table in tables])
    await server.start()
    try:
        async with grpc.aio.insecure_channel(address) as channel:
            yield channel
    finally:
        await server.stop(0.0)


def runtime_stub(channel: grpc.aio.Channel) -> "RuntimeServiceAsyncStub":
    """Return a stub with asynchronous types."""
    return cast("RuntimeServiceAsyncStub", api_pb2_grpc.RuntimeServiceStub(channel))


def image_stub(channel: grpc.aio.Channel) -> "ImageServiceAsyncStub":
    """Return a stub with asynchronous types."""
    return cast("ImageServiceAsyncStub", api_pb2_grpc.ImageServiceStub(channel))


async def refusal(call: Callable[[], Awaitable[Response]]) -> tuple[grpc.StatusCode, str]:
    """Return the status that a call is refused with."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call()
    return refused.value.code(), refused.value.details() or ""
