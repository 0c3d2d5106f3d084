"""Filters of list requests to records. Pure mapping; an absent filter asks for everything."""

from cri.api import api_pb2
from cri.translate import container, sandbox
from runtime.errors import InvalidArgument
from runtime.records.container import ContainerState
from runtime.records.list_filter import ContainerFilter, SandboxFilter
from runtime.records.sandbox import SandboxState

_SANDBOX_STATES = {number: state for state, number in sandbox.STATES.items()}
_CONTAINER_STATES = {number: state for state, number in container.STATES.items()}


def sandbox_filter(message: api_pb2.PodSandboxFilter) -> SandboxFilter:
    """Translate the filter of ListPodSandbox and its stream."""
    return SandboxFilter(
        id=message.id,
        state=_sandbox_state(message),
        labels=tuple(sorted(message.label_selector.items())),
    )


def container_filter(message: api_pb2.ContainerFilter) -> ContainerFilter:
    """Translate the filter of ListContainers and its stream."""
    return ContainerFilter(
        id=message.id,
        sandbox_id=message.pod_sandbox_id,
        state=_container_state(message),
        labels=tuple(sorted(message.label_selector.items())),
    )


def container_stats_filter(message: api_pb2.ContainerStatsFilter) -> ContainerFilter:
    """Translate the filter of ListContainerStats and its stream."""
    return ContainerFilter(
        id=message.id,
        sandbox_id=message.pod_sandbox_id,
        labels=tuple(sorted(message.label_selector.items())),
    )


def sandbox_stats_filter(message: api_pb2.PodSandboxStatsFilter) -> SandboxFilter:
    """Translate the filter of ListPodSandboxStats and its stream."""
    return SandboxFilter(id=message.id, labels=tuple(sorted(message.label_selector.items())))


def _sandbox_state(message: api_pb2.PodSandboxFilter) -> SandboxState | None:
    if not message.HasField("state"):
        return None
    state = _SANDBOX_STATES.get(message.state.state)
    if state is None:
        raise _unknown(message.state.state)
    return state


def _container_state(message: api_pb2.ContainerFilter) -> ContainerState | None:
    if not message.HasField("state"):
        return None
    state = _CONTAINER_STATES.get(message.state.state)
    if state is None:
        raise _unknown(message.state.state)
    return state


def _unknown(number: int) -> InvalidArgument:
    return InvalidArgument(
        "list filter",
        f"asks for the state {number}, which CRI does not have",
        reason="UnknownValue",
    )
