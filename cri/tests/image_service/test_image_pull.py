"""PullImage."""

import asyncio

import grpc
import grpc.aio
import pytest

from cri.api import api_pb2
from cri.tests.image_service.conftest import Served
from cri.tests.sample_records import IMAGE_ID, TAG
from cri.tests.served import refusal
from image.errors import Unavailable
from image.model.records import RegistryAuth


def wanted(text: str = TAG, handler: str = "") -> api_pb2.PullImageRequest:
    return api_pb2.PullImageRequest(image=api_pb2.ImageSpec(image=text, runtime_handler=handler))


async def test_the_image_id_is_told(cri: Served) -> None:
    assert (await cri.image.PullImage(wanted())).image_ref == IMAGE_ID
    assert cri.puller.asked == [(TAG, None)]


async def test_credentials_are_handed_on_and_empty_ones_are_none(cri: Served) -> None:
    request = wanted()
    request.auth.SetInParent()
    await cri.image.PullImage(request)
    request.auth.username = "u"
    request.auth.password = "p"
    await cri.image.PullImage(request)
    auths = [auth for _, auth in cri.puller.asked]
    assert auths == [None, RegistryAuth(username="u", password="p")]


async def test_a_registry_that_does_not_answer_is_told_as_the_kubelet_matches_it(
    cri: Served,
) -> None:
    cri.puller.error = Unavailable("app", "503 from registry.test")
    code, text = await refusal(lambda: cri.image.PullImage(wanted()))
    assert code is grpc.StatusCode.UNKNOWN
    assert text.startswith("RegistryUnavailable: ")


@pytest.mark.parametrize("request_", [wanted(""), wanted(handler="nope")])
async def test_impossible_requests_are_refused(
    cri: Served, request_: api_pb2.PullImageRequest
) -> None:
    code, _ = await refusal(lambda: cri.image.PullImage(request_))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert cri.puller.asked == []


async def test_a_known_handler_is_accepted(cri: Served) -> None:
    await cri.image.PullImage(wanted(handler="runc"))


async def test_a_client_that_gives_up_ends_its_wait(cri: Served) -> None:
    cri.puller.endless = True
    call = cri.image.PullImage(wanted())
    while not cri.puller.asked:
        await cri.image.ImageFsInfo(api_pb2.ImageFsInfoRequest())
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await cri.puller.cancelled.wait()


async def test_a_deadline_of_the_client_is_told_as_such(cri: Served) -> None:
    cri.puller.endless = True
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await cri.image.PullImage(wanted(), timeout=0.001)
    assert refused.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
