"""RemovePodSandbox."""

from cri.api import api_pb2
from cri.tests.runtime_service.conftest import Served


async def test_a_running_pod_is_stopped_and_gone_and_removing_again_is_fine(cri: Served) -> None:
    pod = await cri.pod()
    await cri.started(pod)
    request = api_pb2.RemovePodSandboxRequest(pod_sandbox_id=pod)
    await cri.runtime.RemovePodSandbox(request)
    await cri.runtime.RemovePodSandbox(request)
    assert not (await cri.runtime.ListPodSandbox(api_pb2.ListPodSandboxRequest())).items
    assert not (await cri.runtime.ListContainers(api_pb2.ListContainersRequest())).containers
