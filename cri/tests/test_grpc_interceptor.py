"""Around every call: ids in the log, time, statuses, and clients that give up."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from pathlib import Path

import grpc
import grpc.aio
import pytest

from cri import call_context
from cri.api import api_pb2
from cri.grpc_methods import MethodTable
from cri.tests.served import channel_to, refusal, runtime_stub
from runtime.errors import NotFound

SERVICE = api_pb2.DESCRIPTOR.services_by_name["RuntimeService"]


class Observer:
    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.heard = asyncio.Event()

    def call_ended(self, method: str, code: str, seconds: float) -> None:
        assert seconds >= 0
        self.calls.append((method, code))
        self.heard.set()


async def test_ids_are_bound_while_the_call_runs(tmp_path: Path) -> None:
    seen: list[dict[str, str]] = []

    async def stop(request: api_pb2.StopContainerRequest) -> api_pb2.StopContainerResponse:
        seen.append(dict(call_context.fields()))
        return api_pb2.StopContainerResponse()

    table = MethodTable(SERVICE)
    table.unary("StopContainer", stop)
    async with channel_to(tmp_path, table) as channel:
        await runtime_stub(channel).StopContainer(api_pb2.StopContainerRequest(container_id="abc"))
    assert seen[0]["method"] == "StopContainer"
    assert seen[0]["container"] == "abc"
    assert "pod" not in seen[0]
    assert dict(call_context.fields()) == {}


async def test_outcomes_are_observed_and_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    observer = Observer()

    async def start(request: api_pb2.StartContainerRequest) -> api_pb2.StartContainerResponse:
        if request.container_id == "none":
            raise NotFound("container none", "does not exist")
        if request.container_id == "bug":
            raise KeyError("secret")
        return api_pb2.StartContainerResponse()

    table = MethodTable(SERVICE, observer)
    table.unary("StartContainer", start)
    caplog.set_level(logging.INFO)
    async with channel_to(tmp_path, table) as channel:
        stub = runtime_stub(channel)
        await stub.StartContainer(api_pb2.StartContainerRequest(container_id="ok"))
        none = api_pb2.StartContainerRequest(container_id="none")
        assert (await refusal(lambda: stub.StartContainer(none)))[0] is grpc.StatusCode.NOT_FOUND
        bug = api_pb2.StartContainerRequest(container_id="bug")
        assert (await refusal(lambda: stub.StartContainer(bug)))[0] is grpc.StatusCode.INTERNAL
    assert [code for _, code in observer.calls] == ["OK", "NOT_FOUND", "INTERNAL"]
    levels = [r.levelname for r in caplog.records if r.name == "cri.grpc_interceptor"]
    assert levels == ["INFO", "INFO", "ERROR"]
    assert "Traceback" in caplog.text


async def test_polled_methods_are_quiet(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def version(request: api_pb2.VersionRequest) -> api_pb2.VersionResponse:
        return api_pb2.VersionResponse()

    table = MethodTable(SERVICE)
    table.unary("Version", version)
    caplog.set_level(logging.INFO)
    async with channel_to(tmp_path, table) as channel:
        await runtime_stub(channel).Version(api_pb2.VersionRequest())
    assert caplog.text == ""


async def test_a_client_that_gives_up_cancels_the_handler(tmp_path: Path) -> None:
    observer = Observer()
    entered, ended = asyncio.Event(), asyncio.Event()

    async def hang(request: api_pb2.VersionRequest) -> api_pb2.VersionResponse:
        entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return api_pb2.VersionResponse()

    table = MethodTable(SERVICE, observer)
    table.unary("Version", hang)
    async with channel_to(tmp_path, table) as channel:
        call = runtime_stub(channel).Version(api_pb2.VersionRequest())
        task = asyncio.ensure_future(call)
        await entered.wait()
        task.cancel()
        await ended.wait()
        await observer.heard.wait()
    assert observer.calls == [("Version", "CANCELLED")]


async def test_a_stream_sends_each_message_and_tells_its_failure(tmp_path: Path) -> None:
    observer = Observer()

    async def stream(
        request: api_pb2.StreamContainersRequest,
    ) -> AsyncGenerator[api_pb2.StreamContainersResponse, None]:
        yield api_pb2.StreamContainersResponse(containers=[api_pb2.Container(id="a")])
        if request.filter.id:
            raise NotFound("x", "is gone")

    table = MethodTable(SERVICE, observer)
    table.stream("StreamContainers", stream)
    async with channel_to(tmp_path, table) as channel:
        stub = runtime_stub(channel)
        whole = stub.StreamContainers(api_pb2.StreamContainersRequest())
        assert len([part async for part in whole]) == 1
        filter = api_pb2.ContainerFilter(id="x")
        broken = stub.StreamContainers(api_pb2.StreamContainersRequest(filter=filter))
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            async for _ in broken:
                pass
    assert refused.value.code() is grpc.StatusCode.NOT_FOUND
    assert [code for _, code in observer.calls] == ["OK", "NOT_FOUND"]


async def test_a_stream_whose_client_leaves_is_closed(tmp_path: Path) -> None:
    closed = asyncio.Event()

    async def stream(
        request: api_pb2.GetEventsRequest,
    ) -> AsyncGenerator[api_pb2.ContainerEventResponse, None]:
        try:
            yield api_pb2.ContainerEventResponse(container_id="a")
            await asyncio.Event().wait()
        finally:
            closed.set()

    table = MethodTable(SERVICE)
    table.stream("GetContainerEvents", stream)
    async with channel_to(tmp_path, table) as channel:
        call = runtime_stub(channel).GetContainerEvents(api_pb2.GetEventsRequest())
        async for event in call:
            assert event.container_id == "a"
            break
        call.cancel()
        await closed.wait()
