"""ListPodSandbox and its stream."""

from cri.api import api_pb2
from cri.tests.runtime_service.conftest import Served


async def listed(cri: Served, filter: api_pb2.PodSandboxFilter | None = None) -> list[str]:
    answer = await cri.runtime.ListPodSandbox(api_pb2.ListPodSandboxRequest(filter=filter))
    return [item.id for item in answer.items]


async def test_filters_are_all_obeyed(cri: Served) -> None:
    first, second = await cri.pod("one"), await cri.pod("two")
    await cri.runtime.StopPodSandbox(api_pb2.StopPodSandboxRequest(pod_sandbox_id=second))
    ready = api_pb2.PodSandboxStateValue(state=api_pb2.SANDBOX_READY)
    assert await listed(cri) == [first, second]
    assert await listed(cri, api_pb2.PodSandboxFilter(state=ready)) == [first]
    assert await listed(cri, api_pb2.PodSandboxFilter(id=second[:20])) == [second]
    assert await listed(cri, api_pb2.PodSandboxFilter(id=second, state=ready)) == []
    assert await listed(cri, api_pb2.PodSandboxFilter(id="0" * 64)) == []


async def test_the_stream_tells_the_same_and_ends(cri: Served) -> None:
    pod = await cri.pod()
    stream = cri.runtime.StreamPodSandboxes(api_pb2.StreamPodSandboxesRequest())
    assert [[item.id for item in part.pod_sandboxes] async for part in stream] == [[pod]]


async def test_an_empty_stream_has_no_message(cri: Served) -> None:
    stream = cri.runtime.StreamPodSandboxes(api_pb2.StreamPodSandboxesRequest())
    assert [part async for part in stream] == []
