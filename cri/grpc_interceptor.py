"""What happens around every call: ids bound to the log, time taken, errors turned into statuses.

Handlers are wrapped once, when they are registered; an interceptor of grpc.aio would look every call up anew. Never
decides what a call does. A client that gives up cancels the handler's task: that is logged, and reaches the handler as
CancelledError, so that the lifecycle below decides what is undone and what goes on.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from itertools import count
from typing import NoReturn, Protocol, TypeVar

import grpc
from google.protobuf.message import Message

from cri import call_context
from cri.grpc_errors import Status, status_for

log = logging.getLogger(__name__)

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)
StatusOf = Callable[[Exception], Status]

_QUIET = ("List", "Stream", "Status", "Version", "RuntimeConfig", "ImageFsInfo", "ContainerStats")
"""Starts of methods that the kubelet polls and that change nothing: logged at debug level."""

_SLOW_SECONDS = 10.0
"""Calls that took longer are told at info level whatever they are; waits over 10 s are worth a line."""

_numbers = count(1)


class CallObserver(Protocol):
    """Hears of every call that ended; metrics implement it."""

    def call_ended(self, method: str, code: str, seconds: float) -> None:
        """Take note of one call; must not wait or raise."""


class _Nobody:
    def call_ended(self, method: str, code: str, seconds: float) -> None:
        pass


NOBODY: CallObserver = _Nobody()
"""An observer that does nothing."""


class CallContext(Protocol):
    """What is used of gRPC's servicer context."""

    async def abort(self, code: grpc.StatusCode, details: str = "") -> NoReturn:
        """End the call with a status."""

    async def write(self, message: Message) -> None:
        """Send one message of a stream."""


def wrap_unary(
    method: str,
    handler: Callable[[Request], Awaitable[Response]],
    *,
    status_of: StatusOf = status_for,
    observer: CallObserver = NOBODY,
) -> Callable[[Request, CallContext], Awaitable[Response]]:
    """Return the handler as gRPC calls it."""

    async def call(request: Request, context: CallContext) -> Response:
        """Answer one call within its context."""
        scope = _Scope(method, request, observer)
        try:
            response = await handler(request)
        except asyncio.CancelledError:
            scope.abandoned()
            raise
        except Exception as error:  # noqa: BLE001 the edge: every failure becomes a status
            status = scope.failed(error, status_of)
            await context.abort(status.code, status.message)
        else:
            scope.done()
            return response
        finally:
            scope.close()

    return call


def wrap_stream(
    method: str,
    handler: Callable[[Request], AsyncGenerator[Response, None]],
    *,
    observer: CallObserver = NOBODY,
) -> Callable[[Request, CallContext], Awaitable[None]]:
    """Return a handler that answers with several messages as gRPC calls it."""

    async def call(request: Request, context: CallContext) -> None:
        """Write the answers of one call within its context."""
        scope = _Scope(method, request, observer)
        try:
            async with aclosing(handler(request)) as responses:
                async for response in responses:
                    await context.write(response)
        except asyncio.CancelledError:
            scope.abandoned()
            raise
        except Exception as error:  # noqa: BLE001 the edge: every failure becomes a status
            status = scope.failed(error, status_for)
            await context.abort(status.code, status.message)
        else:
            scope.done()
        finally:
            scope.close()

    return call


class _Scope:
    """One call from its first to its last line in the log."""

    def __init__(self, method: str, request: Message, observer: CallObserver) -> None:
        self._method = method
        self._observer = observer
        self._begin = time.perf_counter()
        self._token = call_context.bind(
            method=method,
            call=str(next(_numbers)),
            pod=_text(request, "pod_sandbox_id"),
            container=_text(request, "container_id"),
        )

    def done(self) -> None:
        seconds = self._end("OK")
        loud = seconds > _SLOW_SECONDS or not self._method.startswith(_QUIET)
        level = logging.INFO if loud else logging.DEBUG
        log.log(level, "%s done in %.1f ms", self._method, seconds * 1000)

    def failed(self, error: Exception, status_of: StatusOf) -> Status:
        status = status_of(error)
        seconds = self._end(status.code.name)
        log.log(
            logging.INFO if status.expected else logging.ERROR,
            "%s failed after %.1f ms: %s: %s",
            self._method,
            seconds * 1000,
            status.code.name,
            status.message,
            exc_info=None if status.expected else error,
        )
        return status

    def abandoned(self) -> None:
        seconds = self._end("CANCELLED")
        log.info("%s was given up by its client after %.1f ms", self._method, seconds * 1000)

    def close(self) -> None:
        call_context.unbind(self._token)

    def _end(self, code: str) -> float:
        seconds = time.perf_counter() - self._begin
        self._observer.call_ended(self._method, code, seconds)
        return seconds


def _text(request: Message, field: str) -> str:
    return str(getattr(request, field, ""))
