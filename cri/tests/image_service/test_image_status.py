"""ImageStatus."""

import json

import grpc

from cri.api import api_pb2
from cri.tests.image_service.conftest import Served
from cri.tests.sample_records import DIGEST_REFERENCE, IMAGE_ID, TAG, image_record
from cri.tests.served import refusal


async def test_the_answer_is_equal_whichever_reference_was_used(cri: Served) -> None:
    cri.store.images = [image_record()]
    answers = [
        await cri.image.ImageStatus(api_pb2.ImageStatusRequest(image=api_pb2.ImageSpec(image=text)))
        for text in (TAG, DIGEST_REFERENCE, IMAGE_ID)
    ]
    assert answers[0] == answers[1] == answers[2]
    assert answers[0].image.size > 0


async def test_an_image_that_is_not_here_is_an_empty_answer(cri: Served) -> None:
    request = api_pb2.ImageStatusRequest(image=api_pb2.ImageSpec(image="none"), verbose=True)
    assert await cri.image.ImageStatus(request) == api_pb2.ImageStatusResponse()


async def test_verbose_tells_config_and_layers(cri: Served) -> None:
    cri.store.images = [image_record()]
    request = api_pb2.ImageStatusRequest(image=api_pb2.ImageSpec(image=TAG), verbose=True)
    info = json.loads((await cri.image.ImageStatus(request)).info["info"])
    assert info["chainID"] == "sha256:g"
    assert info["imageSpec"]["config"]["Cmd"] == ["/bin/app"]
    cri.store.images = [image_record(layers=())]
    info = json.loads((await cri.image.ImageStatus(request)).info["info"])
    assert info["chainID"] == ""


async def test_an_empty_name_is_refused(cri: Served) -> None:
    code, _ = await refusal(lambda: cri.image.ImageStatus(api_pb2.ImageStatusRequest()))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
