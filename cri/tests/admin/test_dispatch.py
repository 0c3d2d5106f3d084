"""Paths lead to verbs, failures become documents, and only POST changes something."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping

from cri.admin.arguments import Arguments
from cri.admin.dispatch import Ask, Dispatcher, Watch, Whole
from cri.admin.http_messages import Reply, Request
from runtime.errors import NotFound


class Text:
    """A body."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    async def pieces(self) -> AsyncIterator[bytes]:
        yield self.content


def request(method: str, path: str, body: bytes = b"", **query: str) -> Request:
    return Request(method=method, path=path, query=query, body=Text(body))


async def greet(arguments: Arguments) -> Mapping[str, object]:
    name = arguments.text("name")
    arguments.finish()
    if name == "nobody":
        raise NotFound("nobody", "is not here")
    if name == "fault":
        raise ValueError("secret")
    if name == "slow":
        await asyncio.Event().wait()
    return {"hello": name}


async def count(arguments: Arguments) -> AsyncGenerator[Mapping[str, object], None]:
    yield {"n": 1}
    raise NotFound(arguments.text("name"), "ended")


async def whole(_: Request, arguments: Arguments) -> Reply:
    return Reply(media_type="x/y", body=arguments.text("a").encode())


DISPATCHER = Dispatcher(
    {
        "greet": Ask(answer=greet, seconds=0.01),
        "change": Ask(answer=greet, changes=True),
        "count": Watch(lines=count),
        "whole": Whole(reply=whole),
    },
    {"/metrics": lambda: Reply(body=b"page")},
)


async def answer(asked: Request) -> tuple[int, dict[str, object]]:
    reply = await DISPATCHER(asked)
    assert isinstance(reply.body, bytes)
    document: dict[str, object] = json.loads(reply.body)
    return reply.status, document


async def test_arguments_come_from_query_or_body() -> None:
    assert await answer(request("GET", "/v1/greet", name="a")) == (200, {"hello": "a"})
    assert await answer(request("POST", "/v1/change", b'{"name": "b"}')) == (200, {"hello": "b"})


async def test_failures_are_documents() -> None:
    status, document = await answer(request("GET", "/v1/greet", name="nobody"))
    assert (status, document["exit"], document["schema"]) == (404, 4, "lading.error/v1")
    status, document = await answer(request("GET", "/v1/greet", name="fault"))
    assert status == 500
    assert "secret" not in str(document)
    status, document = await answer(request("GET", "/v1/greet", name="slow"))
    assert (status, document["exit"]) == (504, 6)


async def test_only_post_changes_something() -> None:
    assert (await answer(request("GET", "/v1/change", name="b")))[0] == 405
    assert (await answer(request("POST", "/metrics")))[0] == 405


async def test_unknown_paths_name_the_known() -> None:
    for path in ("/v1/nope", "/greet", "/"):
        status, document = await answer(request("GET", path))
        assert status == 404
        assert "/v1/greet" in str(document["message"])


async def test_a_stream_tells_its_failure_in_the_last_line() -> None:
    reply = await DISPATCHER(request("POST", "/v1/count", b'{"name": "x"}'))
    assert isinstance(reply.body, AsyncGenerator)
    lines = [json.loads(line) async for line in reply.body]
    assert lines[0] == {"n": 1}
    assert lines[1]["message"] == "x: ended [NotFound]"


async def test_pages_and_whole_verbs_choose_their_form() -> None:
    assert (await DISPATCHER(request("HEAD", "/metrics"))).body == b"page"
    assert (await DISPATCHER(request("GET", "/v1/whole", a="b"))).media_type == "x/y"
