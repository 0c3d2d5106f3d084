"""StartContainer."""

import grpc

from cri.api import api_pb2
from cri.tests.runtime_service.conftest import Served
from cri.tests.served import refusal


async def test_a_container_starts_once(cri: Served) -> None:
    id = await cri.started(await cri.pod())
    request = api_pb2.StartContainerRequest(container_id=id)
    code, _ = await refusal(lambda: cri.runtime.StartContainer(request))
    assert code is grpc.StatusCode.FAILED_PRECONDITION


async def test_a_container_that_is_not_there_is_not_found(cri: Served) -> None:
    request = api_pb2.StartContainerRequest(container_id="f" * 64)
    code, _ = await refusal(lambda: cri.runtime.StartContainer(request))
    assert code is grpc.StatusCode.NOT_FOUND
