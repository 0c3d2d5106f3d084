"""StopPodSandbox."""

from cri.api import api_pb2
from cri.tests.runtime_service.conftest import Served


async def test_a_stopped_pod_is_not_ready_and_stopping_again_is_fine(cri: Served) -> None:
    pod = await cri.pod()
    request = api_pb2.StopPodSandboxRequest(pod_sandbox_id=pod)
    await cri.runtime.StopPodSandbox(request)
    await cri.runtime.StopPodSandbox(request)
    wanted = api_pb2.PodSandboxStatusRequest(pod_sandbox_id=pod)
    status = (await cri.runtime.PodSandboxStatus(wanted)).status
    assert status.state == api_pb2.SANDBOX_NOTREADY


async def test_a_pod_that_is_not_there_is_success(cri: Served) -> None:
    await cri.runtime.StopPodSandbox(api_pb2.StopPodSandboxRequest(pod_sandbox_id="f" * 64))
