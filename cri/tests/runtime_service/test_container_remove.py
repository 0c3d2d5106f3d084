"""RemoveContainer."""

from cri.api import api_pb2
from cri.tests.runtime_service.conftest import Served


async def test_a_running_container_is_gone_and_removing_again_is_fine(cri: Served) -> None:
    id = await cri.started(await cri.pod())
    request = api_pb2.RemoveContainerRequest(container_id=id)
    await cri.runtime.RemoveContainer(request)
    await cri.runtime.RemoveContainer(request)
    assert not (await cri.runtime.ListContainers(api_pb2.ListContainersRequest())).containers
