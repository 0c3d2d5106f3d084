"""ReopenContainerLog."""

import grpc

from cri.api import api_pb2
from cri.tests.runtime_service.conftest import Served
from cri.tests.served import refusal


async def test_a_running_container_reopens_its_log(cri: Served) -> None:
    id = await cri.started(await cri.pod())
    await cri.runtime.ReopenContainerLog(api_pb2.ReopenContainerLogRequest(container_id=id))
    assert "reopen_log" in cri.rig.driver.calls


async def test_a_container_that_does_not_run_is_refused(cri: Served) -> None:
    id = await cri.container(await cri.pod())
    request = api_pb2.ReopenContainerLogRequest(container_id=id)
    code, _ = await refusal(lambda: cri.runtime.ReopenContainerLog(request))
    assert code is grpc.StatusCode.FAILED_PRECONDITION
