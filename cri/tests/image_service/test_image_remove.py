"""RemoveImage."""

import grpc

from cri.api import api_pb2
from cri.tests.image_service.conftest import Served
from cri.tests.sample_records import IMAGE_ID, image_record
from cri.tests.served import refusal


async def test_an_image_is_gone_when_it_answers_and_removing_again_is_fine(cri: Served) -> None:
    cri.store.images = [image_record()]
    spec = api_pb2.ImageSpec(image=IMAGE_ID)
    await cri.image.RemoveImage(api_pb2.RemoveImageRequest(image=spec))
    await cri.image.RemoveImage(api_pb2.RemoveImageRequest(image=spec))
    assert cri.store.removed == [IMAGE_ID, IMAGE_ID]
    assert not (await cri.image.ListImages(api_pb2.ListImagesRequest())).images


async def test_an_empty_name_is_refused(cri: Served) -> None:
    code, _ = await refusal(lambda: cri.image.RemoveImage(api_pb2.RemoveImageRequest()))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
