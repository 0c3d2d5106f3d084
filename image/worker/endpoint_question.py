"""The daemon's side of `resolve`: one question to a worker, one answer read strictly.

Promise: whatever the worker sends, only this question fails.
"""

import asyncio
from dataclasses import dataclass

from image.errors import DeadlineExceeded, FailedPrecondition, Internal, Unavailable
from image.model.json_document import JsonObject
from image.worker.messages import WorkerRequest, read_error
from image.worker.worker_pool import WorkerPool

MAX_ENDPOINTS = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class EndpointAnswer:
    """What one endpoint said, as the worker tells it."""

    url: str
    rule: str
    auth: str
    asked: bool
    works: bool
    result: str
    digest: str
    seconds: float


async def ask_endpoints(
    workers: WorkerPool, request: WorkerRequest, seconds: float
) -> tuple[EndpointAnswer, ...]:
    """Ask a worker what the endpoints of the request's reference say.

    Raises:
        ImageError: why they could not be asked.
    """
    subject = f"endpoints of {request.reference}"
    try:
        async with asyncio.timeout(seconds), workers.worker() as channel:
            channel.send(request.message())
            while (message := await channel.receive()) is not None:
                match message.text("kind"):
                    case "endpoints":
                        return tuple(
                            _read(one) for one in message.children("endpoints")[:MAX_ENDPOINTS]
                        )
                    case "error":
                        raise read_error(message)
                    case _:
                        continue  # what it learnt of endpoints is the pulls' affair
    except TimeoutError as error:
        raise DeadlineExceeded(
            subject,
            f"no answer within {seconds:g} seconds",
            remedy="lower dial_timeout in hosts.toml for hosts that do not answer",
            reason="ResolveTimeout",
        ) from error
    except FailedPrecondition as error:
        if error.subject.startswith("message"):
            raise Internal(subject, f"worker sent nonsense: {error.cause}") from error
        raise
    raise Unavailable(subject, "worker process ended", reason="WorkerDied")


def _read(one: JsonObject) -> EndpointAnswer:
    return EndpointAnswer(
        url=one.text("url")[:4096],
        rule=one.text("rule")[:100],
        auth=one.text("auth")[:200],
        asked=one.fields.get("asked") is True,
        works=one.fields.get("works") is True,
        result=one.text("result")[:2000],
        digest=one.text("digest")[:140],
        seconds=one.integer("milliseconds") / 1000,
    )
