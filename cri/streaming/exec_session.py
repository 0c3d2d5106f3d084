"""Exec: one command in a container, its streams joined to the client's.

A client that goes away leaves the process alone, as both Go runtimes do: its input ends, its output is read and dropped;
a terminal hangs up. The end of the session is the end of the process, children or not.
"""

import asyncio
from dataclasses import replace

from cri.streaming.client_connection import ClientConnection
from cri.streaming.command_streams import CommandStreams
from cri.streaming.descriptor_streams import DescriptorWriter
from cri.streaming.input_copy import SizeStream, copy_input
from cri.streaming.output_pump import OutputPump
from cri.streaming.session_tokens import ExecGrant
from cri.streaming.wire.session_status import Outcome
from runtime.drivers.driver import ExecSession, ExecStreamRequest
from runtime.lifecycle.container_stream import open_exec
from runtime.lifecycle.node import Node


async def run_exec(
    node: Node, grant: ExecGrant, connection: ClientConnection, streams: CommandStreams
) -> Outcome:
    """Run the command to its end and return how it ended.

    Raises:
        PodRuntimeError: it could not be started.
    """
    request = grant.request
    sizes = SizeStream(streams.resize) if streams.resize is not None else None
    if sizes is not None and (size := await sizes.first()) is not None:
        request = replace(request, width=size.width, height=size.height)
    session = await open_exec(node, grant.container_id, request)
    try:
        return await _joined(session, request, connection, streams, sizes)
    finally:
        session.close()


async def _joined(
    session: ExecSession,
    request: ExecStreamRequest,
    connection: ClientConnection,
    streams: CommandStreams,
    sizes: SizeStream | None,
) -> Outcome:
    pumps = [OutputPump(session.stdout, streams.stdout)]
    if session.stderr is not None:
        pumps.append(OutputPump(session.stderr, streams.stderr))
    async with asyncio.TaskGroup() as group:
        inputs: list[asyncio.Task[None]] = []
        if session.stdin is not None and streams.stdin is not None:
            inputs.append(group.create_task(_feed(session, streams), name="exec stdin"))
        if sizes is not None:
            inputs.append(group.create_task(_resize(session, sizes), name="exec sizes"))
        outputs = [group.create_task(pump.run(), name="exec output") for pump in pumps]
        code = await _wait_end(group, session, request, connection)
        for pump in pumps:
            pump.note_process_ended()
        if code is None:
            for task in outputs:
                task.cancel()
        else:
            await asyncio.wait(outputs)
        for task in inputs:
            task.cancel()
    return Outcome(failure="the client hung up") if code is None else Outcome(exit_code=code)


async def _wait_end(
    group: asyncio.TaskGroup,
    session: ExecSession,
    request: ExecStreamRequest,
    connection: ClientConnection,
) -> int | None:
    """Return the exit code; None when the client of a terminal is gone, which hangs it up."""
    ended = group.create_task(session.wait(), name="exec process")
    if not request.terminal:
        return await ended
    lost = group.create_task(connection.lost.wait(), name="exec client")
    await asyncio.wait({ended, lost}, return_when=asyncio.FIRST_COMPLETED)
    lost.cancel()
    if ended.done():
        return ended.result()
    ended.cancel()
    return None


async def _feed(session: ExecSession, streams: CommandStreams) -> None:
    if session.stdin is None or streams.stdin is None:
        return
    await copy_input(streams.stdin, DescriptorWriter(session.stdin))
    session.close_stdin()


async def _resize(session: ExecSession, sizes: SizeStream) -> None:
    while size := await sizes.next():
        session.resize(size.width, size.height)
