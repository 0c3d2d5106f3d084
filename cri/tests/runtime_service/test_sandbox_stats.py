"""PodSandboxStats, its list and its stream."""

import grpc
import pytest

from cri.api import api_pb2
from cri.runtime_service.sandbox_stats import pod_cgroup
from cri.tests.runtime_service.conftest import Served
from cri.tests.served import refusal


async def test_a_pods_network_and_containers_are_measured(cri: Served) -> None:
    pod = await cri.pod()
    request = api_pb2.PodSandboxStatsRequest(pod_sandbox_id=pod)
    stats = (await cri.runtime.PodSandboxStats(request)).stats
    assert stats.attributes.id == pod
    assert stats.linux.network.timestamp > 0


async def test_lists_tell_ready_pods_alone(cri: Served) -> None:
    ready, stopped = await cri.pod("one"), await cri.pod("two")
    await cri.runtime.StopPodSandbox(api_pb2.StopPodSandboxRequest(pod_sandbox_id=stopped))
    answer = await cri.runtime.ListPodSandboxStats(api_pb2.ListPodSandboxStatsRequest())
    assert [one.attributes.id for one in answer.stats] == [ready]
    stream = cri.runtime.StreamPodSandboxStats(api_pb2.StreamPodSandboxStatsRequest())
    parts = [part async for part in stream]
    assert [one.attributes.id for one in parts[0].pod_sandbox_stats] == [ready]
    request = api_pb2.PodSandboxStatsRequest(pod_sandbox_id=stopped)
    code, _ = await refusal(lambda: cri.runtime.PodSandboxStats(request))
    assert code is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize(
    ("parent", "wanted"),
    [
        ("/kubepods/burstable/pod1", "/kubepods/burstable/pod1"),
        ("kubepods-pod1.slice", "/kubepods.slice/kubepods-pod1.slice"),
        ("/kubepods.slice/kubepods-pod1.slice", "/kubepods.slice/kubepods-pod1.slice"),
    ],
)
def test_slices_come_by_name_or_path(parent: str, wanted: str) -> None:
    assert pod_cgroup(parent) == wanted
