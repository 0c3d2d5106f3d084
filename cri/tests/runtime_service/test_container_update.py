"""UpdateContainerResources."""

import grpc

from cri.api import api_pb2
from cri.tests.runtime_service.conftest import Served
from cri.tests.served import refusal


async def test_new_limits_are_read_back(cri: Served) -> None:
    id = await cri.started(await cri.pod())
    linux = api_pb2.LinuxContainerResources(cpu_shares=512)
    request = api_pb2.UpdateContainerResourcesRequest(
        container_id=id, linux=linux, annotations={"a": "b"}
    )
    await cri.runtime.UpdateContainerResources(request)
    status = await cri.runtime.ContainerStatus(api_pb2.ContainerStatusRequest(container_id=id))
    assert status.status.resources.linux.cpu_shares == 512


async def test_a_container_that_is_not_there_is_not_found(cri: Served) -> None:
    request = api_pb2.UpdateContainerResourcesRequest(container_id="f" * 64)
    code, _ = await refusal(lambda: cri.runtime.UpdateContainerResources(request))
    assert code is grpc.StatusCode.NOT_FOUND
