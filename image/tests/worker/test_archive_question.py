"""Listings of archives are read strictly."""

from dataclasses import replace
from typing import cast

import pytest

from image.errors import Internal
from image.tests.worker.test_endpoint_question import OneWorker
from image.tests.worker.test_messages import request
from image.worker.archive_question import ArchiveListing, ask_archive
from image.worker.worker_pool import WorkerPool


async def ask(*images: object, path: str = "/s/archive.tar") -> ArchiveListing:
    message = {"kind": "archive", "path": path, "images": list(images)}
    pool = cast(WorkerPool, OneWorker(lambda channel: channel.send(message)))
    return await ask_archive(pool, replace(request(None), archive="/s/archive"), 5.0)


async def test_names_are_normalised() -> None:
    listing = await ask({"names": ["a:1"], "digest": ""})
    assert listing == ArchiveListing(path="/s/archive.tar", names=(("docker.io/library/a:1",),))


@pytest.mark.parametrize("image", [{"names": []}, {"names": ["A"]}, {"names": [1]}])
async def test_nonsense_is_refused(image: dict[str, object]) -> None:
    with pytest.raises(Internal, match="nonsense"):
        await ask(image)


async def test_another_path_is_refused() -> None:
    with pytest.raises(Internal, match="nonsense"):
        await ask({"names": ["a"]}, path="/etc/shadow")
