"""Pulls of operators are followed line by line, and end when nobody listens."""

import pytest

import cri.admin.image_pull
from cri.admin.arguments import Arguments
from cri.admin.image_pull import list_pulls, pull_image
from cri.tests.admin.conftest import APP, Site, rows, running_pull
from image.errors import InvalidArgument, NotFound
from image.exchange.messages import PullEvent

HALF = (
    PullEvent(status="Serving from http://mirror"),
    PullEvent(status="Downloading", layer="aa", current=50, total=100),
)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cri.admin.image_pull, "TICK_SECONDS", 0.001)


async def test_progress_and_outcome_are_lines(site: Site) -> None:
    site.puller.now = (running_pull(APP, *HALF),)
    lines = pull_image(site.parts, Arguments({"reference": APP, "platform": "linux/arm64"}))
    first = await anext(lines)
    assert (first["event"], first["bytes"], first["total_bytes"]) == ("progress", 50, 100)
    site.puller.go.set()
    last = await anext(lines)
    assert (last["event"], last["source"], last["tags"]) == ("done", "http://mirror", [APP])
    await lines.aclose()
    assert site.puller.asked == [(APP, None, "linux/arm64", "operator")]


async def test_credentials_reach_the_pull_and_no_line(site: Site) -> None:
    site.puller.go.set()
    auth = {"username": "u", "password": "S3CR3T"}
    lines = pull_image(site.parts, Arguments({"reference": APP, "auth": auth}))
    told = [line async for line in lines]
    assert "S3CR3T" not in str(told)
    given = site.puller.asked[0][1]
    assert given is not None
    assert given.password == "S3CR3T"
    with pytest.raises(InvalidArgument):
        await anext(pull_image(site.parts, Arguments({"reference": "A"})))


async def test_all_tags_are_told_one_by_one(site: Site) -> None:
    site.puller.go.set()
    lines = pull_image(site.parts, Arguments({"reference": "a.test/app", "all_tags": True}))
    told = [line async for line in lines]
    assert [line["reference"] for line in told] == [APP, "a.test/app:"]


async def test_a_failure_is_raised_to_the_stream(site: Site) -> None:
    site.puller.error = NotFound("x", "is nowhere")
    site.puller.go.set()
    with pytest.raises(NotFound):
        await anext(pull_image(site.parts, Arguments({"reference": APP})))


async def test_running_pulls_say_who_waits(site: Site) -> None:
    site.puller.now = (running_pull(APP, *HALF, callers=("cri", "cri", "operator")),)
    answer = await list_pulls(site.parts, Arguments({}))
    (one,) = rows(answer, "pulls")
    assert (one["callers"], one["waiters"]) == ({"cri": 2, "operator": 1}, 3)
    assert (one["phase"], one["source"]) == ("downloading", "http://mirror")
