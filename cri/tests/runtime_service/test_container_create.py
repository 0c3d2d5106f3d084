"""CreateContainer."""

import grpc

from cri.api import api_pb2
from cri.runtime_service.container_create import image_defaults
from cri.tests.runtime_service.conftest import Served
from cri.tests.sample_records import IMAGE_ID, TAG, container_config_message, image_record
from cri.tests.served import refusal


async def test_the_image_may_be_named_in_any_way(cri: Served) -> None:
    pod = await cri.pod()
    config = container_config_message()
    config.image.image = TAG
    request = api_pb2.CreateContainerRequest(pod_sandbox_id=pod, config=config)
    id = (await cri.runtime.CreateContainer(request)).container_id
    assert cri.rig.node.container(id).image_id == IMAGE_ID


async def test_an_image_that_is_not_here_is_not_found(cri: Served) -> None:
    pod = await cri.pod()
    cri.images.image = None
    code, text = await refusal(lambda: cri.container(pod))
    assert code is grpc.StatusCode.NOT_FOUND
    assert "pull it first" in text


async def test_a_stopped_pod_takes_no_container(cri: Served) -> None:
    pod = await cri.pod()
    await cri.runtime.StopPodSandbox(api_pb2.StopPodSandboxRequest(pod_sandbox_id=pod))
    code, _ = await refusal(lambda: cri.container(pod))
    assert code is grpc.StatusCode.FAILED_PRECONDITION


async def test_a_request_without_config_is_refused(cri: Served) -> None:
    request = api_pb2.CreateContainerRequest(pod_sandbox_id="a")
    code, _ = await refusal(lambda: cri.runtime.CreateContainer(request))
    assert code is grpc.StatusCode.INVALID_ARGUMENT


def test_defaults_come_from_the_image_without_its_labels() -> None:
    defaults = image_defaults(image_record().config)
    assert (defaults.user, defaults.cmd) == ("1000", ("/bin/app",))
    assert not hasattr(defaults, "labels")
