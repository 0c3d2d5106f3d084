"""The frame around exec and attach: gather the streams, do the work, tell its end, let the client hang up first.

The order at the end is what clients need. Outputs end, then the status, then the rest; whatever the client still sends is
read and dropped until it hangs up, for a socket that is closed with unread bytes resets the connection and destroys what
is under way. Every path ends in a status, because clients take an empty error stream for success.
"""

import logging
from collections.abc import Awaitable, Callable

from cri.streaming.client_connection import ClientConnection
from cri.streaming.command_streams import CREATION_SECONDS, CommandStreams, StreamCollector
from cri.streaming.session_limits import SessionLimits
from cri.streaming.wire.session_status import Outcome, status_json, status_text
from runtime.errors import PodRuntimeError

log = logging.getLogger(__name__)

HANG_UP_SECONDS = 5.0
"""How long a client may take to close after it has been told everything."""

Body = Callable[[ClientConnection, CommandStreams], Awaitable[Outcome]]


async def serve_command(
    connection: ClientConnection,
    collector: StreamCollector,
    body: Body,
    limits: SessionLimits,
    *,
    json_status: bool,
) -> Outcome:
    """Serve one client from its first stream to its last, and return how the session ended."""
    outcome = await limits.bound(_work(connection, collector, body), connection)
    await _tell(connection, collector.streams, outcome, json_status=json_status)
    return outcome


async def _work(connection: ClientConnection, collector: StreamCollector, body: Body) -> Outcome:
    try:
        if not await collector.wait_complete(connection.lost):
            return Outcome(failure="the client hung up before its streams had come")
        connection.seal()
        return await body(connection, collector.streams)
    except TimeoutError:
        missing = collector.missing()
        return Outcome(failure=f"no {missing} stream came within {CREATION_SECONDS:g} s")
    except PodRuntimeError as error:
        return Outcome(failure=str(error))
    except Exception as error:
        log.exception("a streaming session failed")
        return Outcome(failure=f"a fault of the runtime ({type(error).__name__}); see its log")


async def _tell(
    connection: ClientConnection, streams: CommandStreams, outcome: Outcome, *, json_status: bool
) -> None:
    for output in (streams.stdout, streams.stderr):
        if output is not None:
            output.finish()
    if streams.error is not None:
        streams.error.write_now(status_json(outcome) if json_status else status_text(outcome))
        streams.error.finish()
    for rest in (streams.stdin, streams.resize):
        if rest is not None:
            rest.finish()
    connection.drop_input()
    await connection.say_last_words()
    await connection.wait_lost(HANG_UP_SECONDS)
    connection.close()
