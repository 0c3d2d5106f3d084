"""RunPodSandbox."""

import grpc

from cri.api import api_pb2
from cri.tests.runtime_service.conftest import Served
from cri.tests.sample_records import sandbox_config_message
from cri.tests.served import refusal


async def test_a_pod_is_ready_when_its_id_is_told(cri: Served) -> None:
    pod = await cri.pod()
    request = api_pb2.PodSandboxStatusRequest(pod_sandbox_id=pod)
    status = (await cri.runtime.PodSandboxStatus(request)).status
    assert status.state == api_pb2.SANDBOX_READY
    assert status.network.ip


async def test_the_same_request_gives_the_same_pod(cri: Served) -> None:
    assert await cri.pod() == await cri.pod()


async def test_a_request_without_config_is_refused(cri: Served) -> None:
    code, text = await refusal(lambda: cri.runtime.RunPodSandbox(api_pb2.RunPodSandboxRequest()))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert "no config" in text


async def test_an_unknown_handler_is_refused_and_never_replaced(cri: Served) -> None:
    request = api_pb2.RunPodSandboxRequest(config=sandbox_config_message(), runtime_handler="nope")
    code, text = await refusal(lambda: cri.runtime.RunPodSandbox(request))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert "nope" in text
