"""ContainerStats, ListContainerStats and StreamContainerStats. Lists leave out what has no numbers."""

from collections.abc import AsyncGenerator

from cri.api import api_pb2
from cri.runtime_service.parts import RuntimeParts
from cri.translate import stats as translate
from cri.translate.batches import batches
from cri.translate.list_filters import container_stats_filter
from runtime.lifecycle import stats_sampling
from runtime.lifecycle.stats_sampling import ContainerStats


async def stats(
    parts: RuntimeParts, request: api_pb2.ContainerStatsRequest
) -> api_pb2.ContainerStatsResponse:
    """Answer ContainerStats.

    Raises:
        NotFound: there is no such container.
        FailedPrecondition: it is not running, so there is nothing to measure.
    """
    measured = await stats_sampling.container_stats(parts.node, request.container_id)
    return api_pb2.ContainerStatsResponse(stats=_message(measured))


async def list_stats(
    parts: RuntimeParts, request: api_pb2.ListContainerStatsRequest
) -> api_pb2.ListContainerStatsResponse:
    """Answer ListContainerStats."""
    return api_pb2.ListContainerStatsResponse(stats=await _wanted(parts, request.filter))


async def stream_stats(
    parts: RuntimeParts, request: api_pb2.StreamContainerStatsRequest
) -> AsyncGenerator[api_pb2.StreamContainerStatsResponse, None]:
    """Answer StreamContainerStats: the list as it is now, in parts."""
    for batch in batches(await _wanted(parts, request.filter)):
        yield api_pb2.StreamContainerStatsResponse(container_stats=batch)


async def _wanted(
    parts: RuntimeParts, message: api_pb2.ContainerStatsFilter
) -> list[api_pb2.ContainerStats]:
    wanted = container_stats_filter(message)
    return [_message(one) for one in await stats_sampling.list_container_stats(parts.node, wanted)]


def _message(measured: ContainerStats) -> api_pb2.ContainerStats:
    return translate.container_stats(measured.container, measured.usage, measured.writable_layer)
