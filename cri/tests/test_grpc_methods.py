"""Every method of a service is registered, with a handler or an honest refusal."""

from collections.abc import AsyncGenerator
from pathlib import Path

import grpc
import grpc.aio
import pytest

from cri.api import api_pb2
from cri.grpc_methods import MethodTable
from cri.tests.served import channel_to, refusal, runtime_stub

SERVICE = api_pb2.DESCRIPTOR.services_by_name["RuntimeService"]


async def version(request: api_pb2.VersionRequest) -> api_pb2.VersionResponse:
    return api_pb2.VersionResponse(version="x")


async def events(
    request: api_pb2.GetEventsRequest,
) -> AsyncGenerator[api_pb2.ContainerEventResponse, None]:
    yield api_pb2.ContainerEventResponse()


def test_cri_has_43_methods() -> None:
    services = api_pb2.DESCRIPTOR.services_by_name.values()
    assert sum(len(service.methods) for service in services) == 43


def test_missing_methods_are_named() -> None:
    table = MethodTable(SERVICE)
    table.unary("Version", version)
    assert "Version" not in table.missing()
    assert "RunPodSandbox" in table.missing()


def test_names_and_kinds_must_be_those_of_the_service() -> None:
    table = MethodTable(SERVICE)
    with pytest.raises(ValueError, match="no unary method Vision"):
        table.unary("Vision", version)
    with pytest.raises(ValueError, match="no unary method GetContainerEvents"):
        table.unary("GetContainerEvents", version)
    with pytest.raises(ValueError, match="no streaming method Version"):
        table.stream("Version", events)


async def test_missing_methods_refuse_and_say_so(tmp_path: Path) -> None:
    table = MethodTable(SERVICE)
    table.unary("Version", version)
    async with channel_to(tmp_path, table) as channel:
        stub = runtime_stub(channel)
        assert (await stub.Version(api_pb2.VersionRequest())).version == "x"
        code, text = await refusal(lambda: stub.Exec(api_pb2.ExecRequest()))
        assert code is grpc.StatusCode.UNIMPLEMENTED
        assert "Exec is not available in this version of Lading" in text
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            async for _ in stub.GetContainerEvents(api_pb2.GetEventsRequest()):
                pass
        assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED
