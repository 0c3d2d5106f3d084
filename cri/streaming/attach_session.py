"""Attach: the streams of a container's own first process, shared with its log and with other clients.

Output is always drained, wanted or not, since the monitor waits for its slowest client. Output from before the attach is
not repeated. The end is the end of the output; where the container's input outlives its clients (stdin without
stdin_once, no terminal) the end of the client's input ends the session too, as with both Go runtimes.
"""

import asyncio
import logging
import socket
from contextlib import suppress

from cri.streaming.attach_queue import AttachQueue, ClientTooSlow
from cri.streaming.client_connection import ClientConnection
from cri.streaming.client_stream import ClientStream
from cri.streaming.command_streams import CommandStreams
from cri.streaming.descriptor_streams import DescriptorReader, DescriptorWriter
from cri.streaming.input_copy import SizeStream, copy_input
from cri.streaming.session_tokens import AttachGrant
from cri.streaming.wire.session_status import SUCCESS, Outcome
from runtime.errors import PodRuntimeError
from runtime.formats.monitor_messages import (
    LONGEST_INPUT,
    LONGEST_OUTPUT,
    AttachStream,
    parse_output,
)
from runtime.lifecycle.container_stream import AttachedContainer, open_attach
from runtime.lifecycle.node import Node

log = logging.getLogger(__name__)

QUIET_SECONDS = 0.3
"""How long output must rest before the end of the client's input ends the session: an answer is on its way."""
_TOO_SLOW = Outcome(failure="the client reads too slowly; the container's log has the rest")
_BATCH = 32
"""Packets that are taken at a time, 256 KiB."""


async def run_attach(
    node: Node, grant: AttachGrant, connection: ClientConnection, streams: CommandStreams
) -> Outcome:
    """Join a container's streams to the client's until one of them ends.

    Raises:
        PodRuntimeError: the container cannot be attached to.
    """
    attached = await open_attach(node, grant.container_id)
    try:
        return await _Attachment(attached, connection, streams).run()
    finally:
        attached.connection.close()


class _Attachment:
    def __init__(
        self, attached: AttachedContainer, connection: ClientConnection, streams: CommandStreams
    ) -> None:
        self._attached = attached
        self._connection = connection
        self._streams = streams
        self._queue = AttachQueue()

    async def run(self) -> Outcome:
        async with asyncio.TaskGroup() as group:
            output = group.create_task(self._output(), name="attach output")
            ends: set[asyncio.Task[Outcome]] = {
                output,
                group.create_task(self._client(), name="attach client"),
                group.create_task(self._input(), name="attach stdin"),
            }
            sizes = group.create_task(self._sizes(), name="attach sizes")
            done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            for task in (*ends, sizes):
                task.cancel()
        return (output if output in done else done.pop()).result()

    async def _output(self) -> Outcome:
        """Return when the container's output has ended and the client has it all."""
        slow = False
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._queue.deliver(), name="attach delivery")
                await self._drain()
                self._queue.close()
        except* ClientTooSlow:
            slow = True
        return _TOO_SLOW if slow else SUCCESS

    async def _drain(self) -> None:
        reader = DescriptorReader(self._attached.connection.fileno(), LONGEST_OUTPUT)
        targets = {
            AttachStream.STDOUT: self._streams.stdout,
            AttachStream.STDERR: self._streams.stderr,
        }
        while packet := await reader.read():
            for _ in range(_BATCH):
                await self._put(packet, targets)
                following = reader.read_now()
                if not following:
                    break
                packet = following
            else:
                await self._put(packet, targets)
            await asyncio.sleep(0)  # the delivery must get its turn

    async def _put(self, packet: bytes, targets: dict[AttachStream, ClientStream | None]) -> None:
        try:
            kind, data = parse_output(packet)
        except ValueError:
            return
        target = targets[kind]
        if target is not None and data:
            await self._queue.put(target, data)

    async def _client(self) -> Outcome:
        await self._connection.lost.wait()
        return Outcome(failure="the client hung up")

    async def _input(self) -> Outcome:
        """Return when the end of the client's input is the end of the session; else never."""
        stdin, attached = self._streams.stdin, self._attached
        if stdin is not None:
            if not attached.stdin and not attached.terminal:
                stdin.discard()  # the monitor stops listening to a client that sends unasked
            else:
                await copy_input(
                    stdin, DescriptorWriter(attached.connection.fileno(), LONGEST_INPUT)
                )
                if not attached.terminal and not stdin.gone.is_set():
                    if not attached.stdin_once:
                        await self._quiet()
                        return SUCCESS
                    with suppress(OSError):
                        attached.connection.shutdown(socket.SHUT_WR)
        await asyncio.get_running_loop().create_future()
        return SUCCESS

    async def _quiet(self) -> None:
        loop = asyncio.get_running_loop()
        self._queue.last_put = max(self._queue.last_put, loop.time())
        while (left := self._queue.last_put + QUIET_SECONDS - loop.time()) > 0:  # noqa: ASYNC110 - quiet is that nothing happens
            await asyncio.sleep(left)

    async def _sizes(self) -> None:
        if self._streams.resize is None or not self._attached.terminal:
            return
        sizes = SizeStream(self._streams.resize)
        while size := await sizes.next():
            try:
                await self._attached.resize(size.width, size.height)
            except PodRuntimeError as error:
                log.info("a terminal keeps its size: %s", error)
