"""GetContainerEvents. Everything that happens from the subscription on, each with the pod as it was then."""

from collections.abc import AsyncGenerator

from cri.api import api_pb2
from cri.runtime_service.container_status import status_message
from cri.runtime_service.parts import RuntimeParts
from cri.translate.sandbox import sandbox_status
from runtime.lifecycle.event_stream import EventKind, LifecycleEvent

KINDS = {
    EventKind.CREATED: api_pb2.CONTAINER_CREATED_EVENT,
    EventKind.STARTED: api_pb2.CONTAINER_STARTED_EVENT,
    EventKind.STOPPED: api_pb2.CONTAINER_STOPPED_EVENT,
    EventKind.DELETED: api_pb2.CONTAINER_DELETED_EVENT,
}


async def get_container_events(
    parts: RuntimeParts, request: api_pb2.GetEventsRequest
) -> AsyncGenerator[api_pb2.ContainerEventResponse, None]:
    """Answer GetContainerEvents until the client goes away or the daemon ends."""
    subscription = parts.node.events.subscribe()
    try:
        async for event in subscription:
            yield event_message(parts, event)
    finally:
        parts.node.events.unsubscribe(subscription)


def event_message(parts: RuntimeParts, event: LifecycleEvent) -> api_pb2.ContainerEventResponse:
    """Return one event."""
    return api_pb2.ContainerEventResponse(
        container_id=event.object_id,
        container_event_type=KINDS[event.kind],
        created_at=event.at_ns,
        pod_sandbox_status=None if event.sandbox is None else sandbox_status(event.sandbox),
        containers_statuses=[status_message(parts.images, one) for one in event.containers],
    )
