"""A connection: streams joined to a transport, bounds in both directions, ends."""

import asyncio
from collections.abc import Iterable

import pytest
from websockets.frames import Opcode

from cri.streaming import client_connection
from cri.streaming.client_connection import (
    ANSWERS_LIMIT,
    UNREAD_HIGH,
    UNSENT_HIGH,
    ClientConnection,
)
from cri.streaming.client_stream import ClientStream
from cri.streaming.wire import spdy_frames
from cri.streaming.wire.spdy_connection import SpdyConnection
from cri.streaming.wire.spdy_tunnel import SpdyTunnel
from cri.tests.streaming.wire.peers import SpdyPeer, websocket_frame


class FakeTransport(asyncio.Transport):
    """A transport whose buffer a test empties."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.unsent = 0
        self.limits: tuple[int | None, int | None] = (None, None)
        self.reading = True
        self.closing = False
        self.aborted = False
        self.protocol: asyncio.BaseProtocol | None = None

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.limits = (high, low)

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def write(self, data: "bytes | bytearray | memoryview[int]") -> None:
        assert not self.closing
        self.written += bytes(data)

    def writelines(self, list_of_data: "Iterable[bytes | bytearray | memoryview[int]]") -> None:
        raise NotImplementedError

    def is_reading(self) -> bool:
        return self.reading

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.closing = self.aborted = True


class Scene:
    """A connection with one open stream."""

    def __init__(self) -> None:
        self.transport = FakeTransport()
        self.peer = SpdyPeer()
        self.streams: list[ClientStream] = []
        self.connection = ClientConnection(SpdyConnection(), self.transport, self.take)
        self.connection.begin([], self.peer.open(1, streamtype="stdin"))

    def take(self, stream: ClientStream) -> bool:
        if stream.headers.get("streamtype") == "unwanted":
            return False
        self.streams.append(stream)
        return True

    def receive(self, data: bytes) -> None:
        self.connection.data_received(data)


@pytest.fixture
async def scene() -> Scene:
    return Scene()


async def test_bytes_reach_their_stream_and_answers_the_client(scene: Scene) -> None:
    scene.receive(spdy_frames.data_frame(1, b"in", fin=True) + spdy_frames.ping(1))
    (stream,) = scene.streams
    assert [await stream.read(), await stream.read()] == [b"in", b""]
    await stream.write(b"out")
    stream.finish()
    assert scene.transport.written.endswith(
        spdy_frames.ping(1)
        + spdy_frames.data_frame(1, b"out")
        + spdy_frames.data_frame(1, b"", fin=True)
    )


async def test_an_unwanted_stream_is_refused(scene: Scene) -> None:
    scene.receive(scene.peer.open(3, streamtype="unwanted"))
    assert scene.transport.written.endswith(spdy_frames.rst_stream(3, 3))
    assert len(scene.streams) == 1
    scene.receive(spdy_frames.data_frame(3, b"x", fin=True) + spdy_frames.rst_stream(3, 5))


async def test_unread_bytes_stop_reading_until_they_are_read(scene: Scene) -> None:
    (stream,) = scene.streams
    for _ in range(5):
        scene.receive(spdy_frames.data_frame(1, bytes(256 * 1024)))
    assert not scene.transport.is_reading()
    while not scene.transport.is_reading():
        assert await stream.read()
    scene.receive(spdy_frames.data_frame(1, b"", fin=True))
    rest = 0
    while block := await stream.read():
        rest += len(block)
    assert rest == 256 * 1024


async def test_many_streams_share_a_bound(scene: Scene) -> None:
    count = UNREAD_HIGH // (1000 * 1024) + 1
    for number in range(count):
        scene.receive(scene.peer.open(3 + 2 * number, streamtype="data"))
        scene.receive(spdy_frames.data_frame(3 + 2 * number, bytes(1000 * 1024)))
    assert not scene.transport.is_reading()
    for stream in scene.streams:
        stream.discard()
    assert scene.transport.is_reading()


async def test_a_writer_waits_while_the_client_is_slow(scene: Scene) -> None:
    (stream,) = scene.streams
    scene.connection.pause_writing()
    async with asyncio.TaskGroup() as group:
        writing = group.create_task(stream.write(b"late"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not writing.done()
        scene.connection.resume_writing()
    assert scene.transport.written.endswith(spdy_frames.data_frame(1, b"late"))


async def test_losing_the_client_ends_streams_and_wakes_writers(scene: Scene) -> None:
    (stream,) = scene.streams
    scene.connection.pause_writing()
    scene.transport.pause_reading()
    async with asyncio.TaskGroup() as group:
        group.create_task(stream.write(b"never sent"))
        await asyncio.sleep(0)
        scene.connection.connection_lost(None)
        scene.connection.connection_lost(None)
    assert stream.gone.is_set()
    assert b"never sent" not in scene.transport.written
    assert await scene.connection.wait_lost(0.0)
    scene.receive(b"too late")


async def test_a_reset_of_the_client_ends_one_stream(scene: Scene) -> None:
    (stream,) = scene.streams
    scene.receive(spdy_frames.rst_stream(1, 5))
    assert stream.gone.is_set()
    assert not scene.connection.lost.is_set()


async def test_a_reset_of_ours_is_sent(scene: Scene) -> None:
    scene.streams[0].reset()
    assert scene.transport.written.endswith(spdy_frames.rst_stream(1, 5))


async def test_a_broken_protocol_is_answered_and_closed(scene: Scene) -> None:
    scene.receive(b"\x80\x02" + bytes(6))
    assert scene.transport.written.endswith(spdy_frames.goaway(1, 1))
    assert scene.transport.closing
    assert scene.connection.lost.is_set()


async def test_the_clients_goodbye_closes() -> None:
    transport = FakeTransport()
    connection = ClientConnection(SpdyTunnel(), transport, lambda _: True)
    connection.begin([], websocket_frame(b"\x03\xe8", Opcode.CLOSE))
    assert transport.closing
    assert connection.lost.is_set()


async def test_a_client_that_pings_and_never_reads_is_cut_off(scene: Scene) -> None:
    scene.transport.unsent = UNSENT_HIGH + ANSWERS_LIMIT + 1
    scene.receive(spdy_frames.ping(1))
    assert scene.transport.aborted


async def test_input_is_dropped_at_the_end(scene: Scene) -> None:
    (stream,) = scene.streams
    scene.connection.drop_input()
    scene.receive(spdy_frames.data_frame(1, b"dropped"))
    scene.receive(scene.peer.open(3, streamtype="late"))
    scene.receive(spdy_frames.data_frame(1, b"", fin=True))
    assert await stream.read() == b""
    assert len(scene.streams) == 1


async def test_last_words_wait_until_all_is_sent(scene: Scene) -> None:
    scene.connection.pause_writing()
    async with asyncio.TaskGroup() as group:
        words = group.create_task(scene.connection.say_last_words())
        await asyncio.sleep(0)
        assert scene.transport.limits == (1, 0)
        assert not words.done()
        scene.connection.resume_writing()
    scene.connection.close()
    scene.connection.close()
    assert scene.transport.written.endswith(spdy_frames.goaway(1, 0))


async def test_a_stuck_client_does_not_get_its_last_words(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_connection, "STUCK_SECONDS", 0.0)
    scene.connection.pause_writing()
    scene.transport.unsent = 7
    await scene.connection.say_last_words()
    assert scene.transport.aborted


async def test_waiting_for_the_client_has_a_limit(scene: Scene) -> None:
    assert not await scene.connection.wait_lost(0.0)


async def test_a_sealed_connection_takes_no_streams(scene: Scene) -> None:
    scene.connection.seal()
    scene.receive(spdy_frames.syn_stream(3, b""))
    assert len(scene.streams) == 1
