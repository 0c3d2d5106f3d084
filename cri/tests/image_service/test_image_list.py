"""ListImages and its stream."""

import pytest

from cri.api import api_pb2
from cri.tests.image_service.conftest import Served
from cri.tests.sample_records import DIGEST_REFERENCE, IMAGE_ID, TAG, image_record

OTHER = f"sha256:{'9' * 64}"


@pytest.fixture
def two(cri: Served) -> Served:
    cri.store.images = [image_record(), image_record(id=OTHER, repo_tags=(), repo_digests=())]
    return cri


async def test_without_filter_every_image_is_told_once(two: Served) -> None:
    answer = await two.image.ListImages(api_pb2.ListImagesRequest())
    assert [one.id for one in answer.images] == [IMAGE_ID, OTHER]


@pytest.mark.parametrize(
    ("text", "wanted"), [(TAG, [IMAGE_ID]), (DIGEST_REFERENCE, [IMAGE_ID]), ("none", [])]
)
async def test_a_filter_looks_the_image_up(two: Served, text: str, wanted: list[str]) -> None:
    filter = api_pb2.ImageFilter(image=api_pb2.ImageSpec(image=text))
    answer = await two.image.ListImages(api_pb2.ListImagesRequest(filter=filter))
    assert [one.id for one in answer.images] == wanted


async def test_the_stream_tells_the_same(two: Served) -> None:
    stream = two.image.StreamImages(api_pb2.StreamImagesRequest())
    assert [[one.id for one in part.images] async for part in stream] == [[IMAGE_ID, OTHER]]


async def test_an_empty_stream_has_no_message(cri: Served) -> None:
    stream = cri.image.StreamImages(api_pb2.StreamImagesRequest())
    assert [part async for part in stream] == []
