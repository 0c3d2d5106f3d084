"""ContainerStats, its list and its stream."""

import grpc

from cri.api import api_pb2
from cri.tests.runtime_service.conftest import Served
from cri.tests.served import refusal


async def test_what_has_no_numbers_is_refused_alone_and_left_out_of_lists(cri: Served) -> None:
    id = await cri.started(await cri.pod())
    await cri.runtime.StopContainer(api_pb2.StopContainerRequest(container_id=id))
    request = api_pb2.ContainerStatsRequest(container_id=id)
    code, _ = await refusal(lambda: cri.runtime.ContainerStats(request))
    assert code is grpc.StatusCode.FAILED_PRECONDITION
    answer = await cri.runtime.ListContainerStats(api_pb2.ListContainerStatsRequest())
    assert list(answer.stats) == []


async def test_a_container_that_is_not_there_is_not_found(cri: Served) -> None:
    request = api_pb2.ContainerStatsRequest(container_id="f" * 64)
    code, _ = await refusal(lambda: cri.runtime.ContainerStats(request))
    assert code is grpc.StatusCode.NOT_FOUND


async def test_an_empty_stream_has_no_message(cri: Served) -> None:
    stream = cri.runtime.StreamContainerStats(api_pb2.StreamContainerStatsRequest())
    assert [part async for part in stream] == []
