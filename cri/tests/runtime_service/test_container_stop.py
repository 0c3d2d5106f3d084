"""StopContainer."""

import pytest

from cri.api import api_pb2
from cri.tests.runtime_service.conftest import Served


@pytest.mark.parametrize("timeout", [0, 10, -5])
async def test_a_container_has_ended_when_stop_answers(cri: Served, timeout: int) -> None:
    id = await cri.started(await cri.pod())
    request = api_pb2.StopContainerRequest(container_id=id, timeout=timeout)
    await cri.runtime.StopContainer(request)
    await cri.runtime.StopContainer(request)
    status = await cri.runtime.ContainerStatus(api_pb2.ContainerStatusRequest(container_id=id))
    assert status.status.state == api_pb2.CONTAINER_EXITED


async def test_a_container_that_is_not_there_is_success(cri: Served) -> None:
    await cri.runtime.StopContainer(api_pb2.StopContainerRequest(container_id="f" * 64))
