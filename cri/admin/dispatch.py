"""From a request's path to the verb that answers it, and from what the verb gives or raises to a reply.

Promise: every failure becomes a document with a status and an exit code; a verb that must not change anything can only
be asked by GET. Deadlines are here: a verb that answers at once has one, a stream has none of its own.
"""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass

from cri.admin.arguments import Arguments, read_object
from cri.admin.error_documents import error_document
from cri.admin.http_connection import ClientGone
from cri.admin.http_messages import JSON_LINES, Reply, Request
from runtime.errors import DeadlineExceeded

log = logging.getLogger(__name__)

PREFIX = "/v1/"
Fields = Mapping[str, object]


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask:
    """A verb that answers with one object."""

    answer: Callable[[Arguments], Awaitable[Fields]]
    changes: bool = False
    """True when it must be sent by POST."""
    seconds: float = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Watch:
    """A verb that answers with a line per event; the last one tells the outcome."""

    lines: Callable[[Arguments], AsyncGenerator[Fields, None]]
    changes: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Whole:
    """A verb that has the request, body included, to itself; it names its own media type."""

    reply: Callable[[Request, Arguments], Awaitable[Reply]]
    changes: bool = False


Verb = Ask | Watch | Whole


class Dispatcher:
    """All verbs of one server by path, without the prefix; meets `Responder`."""

    def __init__(self, verbs: Mapping[str, Verb], pages: Mapping[str, Callable[[], Reply]]) -> None:
        self._verbs = verbs
        self._pages = pages

    async def __call__(self, request: Request) -> Reply:
        """Answer one request."""
        try:
            return await self._answer(request)
        except ClientGone:
            raise
        except Exception as error:  # noqa: BLE001 the edge: every failure becomes a document
            return _failure(error)

    async def _answer(self, request: Request) -> Reply:
        page = self._pages.get(request.path)
        if page is not None:
            return page() if request.method in ("GET", "HEAD") else _wrong_method("GET")
        verb = self._verbs.get(request.path.removeprefix(PREFIX))
        if verb is None or not request.path.startswith(PREFIX):
            return _no_such_path(self._verbs)
        allowed = ("POST",) if verb.changes else ("GET", "HEAD", "POST")
        if request.method not in allowed:
            return _wrong_method(allowed[0])
        if isinstance(verb, Whole):
            return await verb.reply(request, Arguments(request.query))
        arguments = await _arguments(request)
        if isinstance(verb, Watch):
            lines = verb.lines(arguments)
            return Reply(media_type=JSON_LINES, body=json_lines(lines))
        return _object(200, await _in_time(verb, arguments, request.path))


async def _arguments(request: Request) -> Arguments:
    values = {**request.query}
    return Arguments({**values, **await read_object(request.body.pieces())})


async def _in_time(verb: Ask, arguments: Arguments, path: str) -> Fields:
    try:
        async with asyncio.timeout(verb.seconds) as limit:
            return await verb.answer(arguments)
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise DeadlineExceeded(
            path.removeprefix(PREFIX),
            f"took longer than {verb.seconds:g} s",
            remedy="see 'lading operations' for what waits",
            reason="VerbTimeout",
        ) from error


async def json_lines(lines: AsyncGenerator[Fields, None]) -> AsyncGenerator[bytes, None]:
    """Write each object as a line; a failure is the last line."""
    async with contextlib.aclosing(lines):
        try:
            async for fields in lines:
                yield _line(fields)
        except ClientGone:
            raise
        except Exception as error:  # noqa: BLE001 the head is sent: only the last line can tell
            yield _line(_document(error)[1])


def _failure(error: Exception) -> Reply:
    return _object(*_document(error))


def _document(error: Exception) -> tuple[int, Fields]:
    document = error_document(error)
    if not document.expected:
        log.error("a verb of the admin socket failed: %s", error, exc_info=error)
    return document.status, document.fields


def _object(status: int, fields: Fields) -> Reply:
    return Reply(status=status, body=_line(fields))


def _line(fields: Fields) -> bytes:
    return json.dumps(fields, ensure_ascii=False).encode() + b"\n"


def _no_such_path(verbs: Mapping[str, Verb]) -> Reply:
    known = ", ".join(sorted(PREFIX + name for name in verbs))
    text = f"no such path; known are {known or '/metrics'}"
    return _object(404, {"schema": "lading.error/v1", "message": text, "exit": 1})


def _wrong_method(wanted: str) -> Reply:
    text = f"this path answers {wanted} only"
    return _object(405, {"schema": "lading.error/v1", "message": text, "exit": 1})
