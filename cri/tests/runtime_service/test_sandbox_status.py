"""PodSandboxStatus."""

import json

import grpc

from cri.api import api_pb2
from cri.tests.runtime_service.conftest import Served
from cri.tests.served import refusal


async def test_what_clients_check_is_there(cri: Served) -> None:
    pod = await cri.pod()
    request = api_pb2.PodSandboxStatusRequest(pod_sandbox_id=pod[:12])
    answer = await cri.runtime.PodSandboxStatus(request)
    status = answer.status
    assert status.id == pod
    assert (status.metadata.name, status.metadata.namespace, status.metadata.uid) == (
        "web",
        "default",
        "u-1",
    )
    assert status.created_at > 0
    assert dict(answer.info) == {}


async def test_verbose_tells_more_in_json(cri: Served) -> None:
    pod = await cri.pod()
    container = await cri.container(pod)
    request = api_pb2.PodSandboxStatusRequest(pod_sandbox_id=pod, verbose=True)
    info = json.loads((await cri.runtime.PodSandboxStatus(request)).info["info"])
    assert info["containers"] == [container]
    assert info["runtimeHandler"] == "crun"
    assert info["netNamespaceClosed"] is False
    assert info["cniConfig"]["name"] == "fake"


async def test_a_pod_that_is_not_there_is_not_found(cri: Served) -> None:
    request = api_pb2.PodSandboxStatusRequest(pod_sandbox_id="f" * 64)
    code, _ = await refusal(lambda: cri.runtime.PodSandboxStatus(request))
    assert code is grpc.StatusCode.NOT_FOUND
