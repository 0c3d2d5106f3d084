"""GetContainerEvents."""

from cri.api import api_pb2
from cri.tests.runtime_service.conftest import Served


async def test_a_pods_life_is_told_and_the_stream_ends_with_the_daemon(cri: Served) -> None:
    stream = cri.runtime.GetContainerEvents(api_pb2.GetEventsRequest())
    told = aiter(stream)
    subscriptions = cri.rig.node.events._subscriptions
    while not subscriptions:  # the subscription is made when the server reads the request
        await cri.runtime.Version(api_pb2.VersionRequest())
    pod = await cri.pod()
    id = await cri.started(pod)
    cri.rig.node.events.close()
    events = [event async for event in told]
    assert [(event.container_id, event.container_event_type) for event in events[-2:]] == [
        (id, api_pb2.CONTAINER_CREATED_EVENT),
        (id, api_pb2.CONTAINER_STARTED_EVENT),
    ]
    assert events[0].container_id == pod
    assert events[-1].pod_sandbox_status.id == pod
    assert [one.id for one in events[-1].containers_statuses] == [id]
    assert not subscriptions
