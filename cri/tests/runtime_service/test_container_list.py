"""ListContainers and its stream."""

from cri.api import api_pb2
from cri.tests.runtime_service.conftest import Served


async def listed(cri: Served, filter: api_pb2.ContainerFilter | None = None) -> list[str]:
    answer = await cri.runtime.ListContainers(api_pb2.ListContainersRequest(filter=filter))
    return [item.id for item in answer.containers]


async def test_filters_are_all_obeyed(cri: Served) -> None:
    one, two = await cri.pod("one"), await cri.pod("two")
    first, second = await cri.started(one), await cri.container(two)
    running = api_pb2.ContainerStateValue(state=api_pb2.CONTAINER_RUNNING)
    assert await listed(cri) == [first, second]
    assert await listed(cri, api_pb2.ContainerFilter(state=running)) == [first]
    assert await listed(cri, api_pb2.ContainerFilter(pod_sandbox_id=two)) == [second]
    assert await listed(cri, api_pb2.ContainerFilter(id=first[:16])) == [first]
    assert await listed(cri, api_pb2.ContainerFilter(label_selector={"a": "b"})) == []
    assert await listed(cri, api_pb2.ContainerFilter(id="0" * 64)) == []


async def test_the_list_follows_changes_of_state(cri: Served) -> None:
    id = await cri.container(await cri.pod())
    before = await cri.runtime.ListContainers(api_pb2.ListContainersRequest())
    await cri.runtime.StartContainer(api_pb2.StartContainerRequest(container_id=id))
    after = await cri.runtime.ListContainers(api_pb2.ListContainersRequest())
    assert before.containers[0].state == api_pb2.CONTAINER_CREATED
    assert after.containers[0].state == api_pb2.CONTAINER_RUNNING


async def test_the_stream_tells_the_same(cri: Served) -> None:
    id = await cri.container(await cri.pod())
    stream = cri.runtime.StreamContainers(api_pb2.StreamContainersRequest())
    assert [[item.id for item in part.containers] async for part in stream] == [[id]]
