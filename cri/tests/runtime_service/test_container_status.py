"""ContainerStatus."""

import json
from dataclasses import replace

import grpc
import pytest

from cri.api import api_pb2
from cri.runtime_service.container_status import image_names
from cri.tests.runtime_service.conftest import OneImage, Served
from cri.tests.sample_records import (
    DIGEST_REFERENCE,
    IMAGE_ID,
    TAG,
    container_record,
    image_record,
)
from cri.tests.served import refusal


async def test_what_clients_check_is_there(cri: Served) -> None:
    id = await cri.container(await cri.pod())
    request = api_pb2.ContainerStatusRequest(container_id=id[:12])
    status = (await cri.runtime.ContainerStatus(request)).status
    assert (status.id, status.metadata.name) == (id, "app")
    assert status.created_at > 0
    assert (status.image.image, status.image_ref, status.image_id) == (
        TAG,
        DIGEST_REFERENCE,
        IMAGE_ID,
    )


async def test_image_fields_are_told_although_the_image_was_removed(cri: Served) -> None:
    id = await cri.container(await cri.pod())
    cri.images.image = None
    request = api_pb2.ContainerStatusRequest(container_id=id)
    status = (await cri.runtime.ContainerStatus(request)).status
    assert status.image.image
    assert status.image_ref == IMAGE_ID


async def test_verbose_tells_the_spec_when_there_is_one(cri: Served) -> None:
    id = await cri.started(await cri.pod())
    request = api_pb2.ContainerStatusRequest(container_id=id, verbose=True)
    config = cri.rig.node.paths.bundle(id) / "config.json"
    config.write_text('{"ociVersion":"1.0.2"}')
    info = json.loads((await cri.runtime.ContainerStatus(request)).info["info"])
    assert info["runtimeSpec"] == {"ociVersion": "1.0.2"}
    assert info["pid"] == cri.rig.node.container(id).pid
    config.unlink()
    info = json.loads((await cri.runtime.ContainerStatus(request)).info["info"])
    assert info["runtimeSpec"] is None


async def test_a_container_that_is_not_there_is_not_found(cri: Served) -> None:
    request = api_pb2.ContainerStatusRequest(container_id="f" * 64)
    code, _ = await refusal(lambda: cri.runtime.ContainerStatus(request))
    assert code is grpc.StatusCode.NOT_FOUND


TWO_TAGS = ("docker.io/library/app:v2", "registry.test/app:v1")


@pytest.mark.parametrize(
    ("tags", "written", "wanted"),
    [
        (TWO_TAGS, "registry.test/app:v1", "registry.test/app:v1"),
        (TWO_TAGS, "library/app:v2", "docker.io/library/app:v2"),
        (TWO_TAGS, "other:v9", "docker.io/library/app:v2"),
        ((), "other:v9", IMAGE_ID),
    ],
)
def test_the_image_is_called_as_its_pods_author_wrote_it(
    tags: tuple[str, ...], written: str, wanted: str
) -> None:
    record = container_record()
    record = replace(record, config=replace(record.config, user_specified_image=written))
    images = OneImage(image_record(repo_tags=tags))
    assert image_names(images, record)[0] == wanted
