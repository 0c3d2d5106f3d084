"""The daemon's side of `resolve`: one question to a worker, one answer read strictly.

Promise: whatever the worker sends, only this question fails.
"""

import asyncio

from image.errors import DeadlineExceeded, FailedPrecondition, Internal, Unavailable
from image.exchange.channel import Channel
from image.exchange.messages import WorkerRequest, read_error
from image.model.json_document import JsonObject
from image.protocol.endpoint_outcome import EndpointReport
from image.pulls.worker_pool import WorkerPool

MAX_ENDPOINTS = 200


async def ask_endpoints(
    workers: WorkerPool, request: WorkerRequest, seconds: float
) -> tuple[EndpointReport, ...]:
    """Ask a worker what the endpoints of the request's reference say.

    Raises:
        ImageError: why they could not be asked.
    """
    subject = f"endpoints of {request.reference}"
    remedy = "lower dial_timeout in hosts.toml for hosts that do not answer"
    message = await ask_worker(workers, request, "endpoints", seconds, subject, remedy)
    try:
        return tuple(_read(one) for one in message.children("endpoints")[:MAX_ENDPOINTS])
    except FailedPrecondition as error:
        raise Internal(subject, f"worker sent nonsense: {error.cause}") from error


async def ask_worker(
    workers: WorkerPool,
    request: WorkerRequest,
    kind: str,
    seconds: float,
    subject: str,
    remedy: str,
) -> JsonObject:
    """Send a request to a worker and return its one message of this kind.

    Raises:
        ImageError: the worker's, or why there is no answer.
    """
    try:
        async with asyncio.timeout(seconds), workers.worker() as channel:
            channel.send(request.message())
            while (message := await _receive(channel, subject)) is not None:
                found = message.text("kind", default="")
                if found == kind:
                    return message
                if found == "error":
                    raise read_error(message)
                # Anything else, what it learnt of endpoints for example, is the pulls' affair.
    except TimeoutError as error:
        cause = f"no answer within {seconds:g} seconds"
        raise DeadlineExceeded(subject, cause, remedy=remedy, reason="WorkerTimeout") from error
    raise Unavailable(subject, "worker process ended", reason="WorkerDied")


async def _receive(channel: Channel, subject: str) -> JsonObject | None:
    try:
        return await channel.receive()
    except FailedPrecondition as error:
        raise Internal(subject, f"worker sent nonsense: {error.cause}") from error


def _read(one: JsonObject) -> EndpointReport:
    return EndpointReport(
        url=one.text("url")[:4096],
        rule=one.text("rule")[:4200],
        auth=one.text("auth")[:200],
        why=one.text("why")[:500],
        asked=one.fields.get("asked") is True,
        works=one.fields.get("works") is True,
        result=one.text("result")[:2000],
        digest=one.text("digest")[:140],
        seconds=one.integer("milliseconds") / 1000,
    )
