"""Filters ask for what the message asks for, and for everything when it is absent."""

import pytest

from cri.api import api_pb2
from cri.translate import list_filters
from runtime.errors import InvalidArgument
from runtime.records.container import ContainerState
from runtime.records.list_filter import ContainerFilter, SandboxFilter
from runtime.records.sandbox import SandboxState

LABELS = {"b": "2", "a": "1"}
SORTED = (("a", "1"), ("b", "2"))


def test_absent_filters_ask_for_everything() -> None:
    assert list_filters.sandbox_filter(api_pb2.PodSandboxFilter()) == SandboxFilter()
    assert list_filters.container_filter(api_pb2.ContainerFilter()) == ContainerFilter()


def test_ready_is_asked_for_although_its_number_is_zero() -> None:
    state = api_pb2.PodSandboxStateValue(state=api_pb2.SANDBOX_READY)
    message = api_pb2.PodSandboxFilter(id="x", state=state, label_selector=LABELS)
    assert list_filters.sandbox_filter(message) == SandboxFilter(
        id="x", state=SandboxState.READY, labels=SORTED
    )


def test_container_filter_has_all_parts() -> None:
    state = api_pb2.ContainerStateValue(state=api_pb2.CONTAINER_EXITED)
    message = api_pb2.ContainerFilter(
        id="x", state=state, pod_sandbox_id="p", label_selector=LABELS
    )
    assert list_filters.container_filter(message) == ContainerFilter(
        id="x", sandbox_id="p", state=ContainerState.EXITED, labels=SORTED
    )


def test_stats_filters() -> None:
    container = api_pb2.ContainerStatsFilter(id="x", pod_sandbox_id="p", label_selector=LABELS)
    assert list_filters.container_stats_filter(container) == ContainerFilter(
        id="x", sandbox_id="p", labels=SORTED
    )
    sandbox = api_pb2.PodSandboxStatsFilter(id="x", label_selector=LABELS)
    assert list_filters.sandbox_stats_filter(sandbox) == SandboxFilter(id="x", labels=SORTED)


def test_an_unknown_state_is_refused() -> None:
    sandbox = api_pb2.PodSandboxFilter()
    sandbox.state.state = 9  # type: ignore[assignment]
    container = api_pb2.ContainerFilter()
    container.state.state = 9  # type: ignore[assignment]
    with pytest.raises(InvalidArgument, match="state 9"):
        list_filters.sandbox_filter(sandbox)
    with pytest.raises(InvalidArgument, match="state 9"):
        list_filters.container_filter(container)
