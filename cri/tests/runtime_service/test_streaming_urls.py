"""Exec, Attach and PortForward: what is refused at once, and what the streaming server is asked for."""

import grpc
import pytest

from cri.api import api_pb2
from cri.tests.runtime_service.conftest import Served
from cri.tests.served import refusal
from runtime.drivers.driver import ExecStreamRequest


async def test_an_exec_gets_a_url_and_nothing_is_started(cri: Served) -> None:
    id = await cri.started(await cri.pod())
    request = api_pb2.ExecRequest(
        container_id=id[:12], cmd=["sh", "-c", "x"], stdin=True, stdout=True, stderr=True
    )
    assert (await cri.runtime.Exec(request)).url == "http://stream.test/exec/token"
    wanted = ExecStreamRequest(command=("sh", "-c", "x"), stdin=True)
    assert cri.urls.asked == [(id, wanted, True, True)]
    assert cri.rig.driver.container(id).sessions == []


async def test_an_attach_gets_a_url(cri: Served) -> None:
    id = await cri.started(await cri.pod())
    request = api_pb2.AttachRequest(container_id=id, stdout=True)
    assert (await cri.runtime.Attach(request)).url == "http://stream.test/attach/token"
    assert cri.urls.asked == [(id, False, False, True, False)]


async def test_a_port_forward_gets_a_url(cri: Served) -> None:
    pod = await cri.pod()
    request = api_pb2.PortForwardRequest(pod_sandbox_id=pod, port=[80, 443])
    assert (await cri.runtime.PortForward(request)).url == "http://stream.test/portforward/token"
    assert cri.urls.asked == [(pod, (80, 443))]


@pytest.mark.parametrize(
    "changes",
    [
        {"cmd": []},
        {"tty": True, "stderr": True},
        {"stdout": False},
        {"container_id": ""},
    ],
)
async def test_execs_that_make_no_sense_are_refused(
    cri: Served, changes: dict[str, object]
) -> None:
    id = await cri.started(await cri.pod())
    fields: dict[str, object] = {"container_id": id, "cmd": ["x"], "stdout": True}
    request = api_pb2.ExecRequest(**(fields | changes))  # type: ignore[arg-type]
    code, text = await refusal(lambda: cri.runtime.Exec(request))
    assert code is grpc.StatusCode.INVALID_ARGUMENT, text


async def test_the_terminal_of_an_attach_must_be_the_containers(cri: Served) -> None:
    id = await cri.started(await cri.pod())
    request = api_pb2.AttachRequest(container_id=id, stdout=True, tty=True)
    code, text = await refusal(lambda: cri.runtime.Attach(request))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert "no terminal" in text


async def test_what_does_not_run_is_refused(cri: Served) -> None:
    pod = await cri.pod()
    id = await cri.container(pod)
    wanted = api_pb2.ExecRequest(container_id=id, cmd=["x"], stdout=True)
    code, _ = await refusal(lambda: cri.runtime.Exec(wanted))
    assert code is grpc.StatusCode.FAILED_PRECONDITION
    missing = api_pb2.AttachRequest(container_id="f" * 64, stdout=True)
    code, _ = await refusal(lambda: cri.runtime.Attach(missing))
    assert code is grpc.StatusCode.NOT_FOUND
    await cri.runtime.StopPodSandbox(api_pb2.StopPodSandboxRequest(pod_sandbox_id=pod))
    request = api_pb2.PortForwardRequest(pod_sandbox_id=pod)
    code, _ = await refusal(lambda: cri.runtime.PortForward(request))
    assert code is grpc.StatusCode.FAILED_PRECONDITION


async def test_a_bad_port_is_refused(cri: Served) -> None:
    request = api_pb2.PortForwardRequest(pod_sandbox_id=await cri.pod(), port=[80, 0])
    code, text = await refusal(lambda: cri.runtime.PortForward(request))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert "0 is no port" in text
