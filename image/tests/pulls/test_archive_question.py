"""Listings of archives are read strictly."""

from dataclasses import replace
from typing import cast

import pytest

from image.errors import Internal
from image.model.digest import sha256_digest
from image.pulls.archive_question import ArchiveListing, ListedImage, ask_archive
from image.pulls.worker_pool import WorkerPool
from image.tests.exchange.test_messages import request
from image.tests.pulls.test_endpoint_question import OneWorker


async def ask(*images: object, name: str = "archive.tar") -> ArchiveListing:
    message = {"kind": "archive", "name": name, "images": list(images)}
    pool = cast(WorkerPool, OneWorker(lambda channel: channel.send(message)))
    return await ask_archive(pool, replace(request(None), archive="/s/archive"), 5.0)


ID = sha256_digest(b"config")
GOOD: dict[str, object] = {"entry": 0, "names": ["a:1"], "id": ID, "target": "", "platform": ""}


async def test_names_are_normalised() -> None:
    listing = await ask(GOOD, {**GOOD, "target": ID, "platform": "linux/arm64"})
    first, second = listing.images
    assert first == ListedImage(
        entry=0, names=("docker.io/library/a:1",), id=ID, target="", platform=""
    )
    assert (second.target, second.platform) == (ID, "linux/arm64")


@pytest.mark.parametrize(
    "image",
    [
        {**GOOD, "names": []},
        {**GOOD, "names": ["A"]},
        {**GOOD, "names": [1]},
        {**GOOD, "id": "x"},
        {**GOOD, "target": "x"},
        {**GOOD, "platform": "x"},
    ],
    ids=["no-name", "bad-name", "no-text", "bad-id", "bad-target", "bad-platform"],
)
async def test_nonsense_is_refused(image: dict[str, object]) -> None:
    with pytest.raises(Internal, match="nonsense"):
        await ask(image)


async def test_another_path_is_refused() -> None:
    with pytest.raises(Internal, match="nonsense"):
        await ask(GOOD, name="../etc/shadow")
