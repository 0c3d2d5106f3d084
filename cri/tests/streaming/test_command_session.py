"""The frame around exec and attach: every path ends in a status, and the client hangs up first."""

import json

import pytest

from cri.streaming import command_session, command_streams
from cri.streaming.client_connection import ClientConnection
from cri.streaming.command_session import Body, serve_command
from cri.streaming.command_streams import CommandStreams, StreamCollector
from cri.streaming.session_limits import SessionLimits
from cri.streaming.wire import spdy_frames
from cri.streaming.wire.session_status import Outcome
from cri.streaming.wire.spdy_connection import SpdyConnection
from cri.streaming.wire.spdy_frames import DataPiece
from cri.tests.streaming.test_client_connection import FakeTransport
from cri.tests.streaming.wire.peers import SpdyPeer
from runtime.errors import NotFound

NAMES = ("error", "stdin", "stdout", "stderr", "resize")


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_session, "HANG_UP_SECONDS", 0.0)
    monkeypatch.setattr(command_streams, "CREATION_SECONDS", 0.0)


async def served(
    body: Body, *, opened: tuple[str, ...] = NAMES, json_status: bool = True
) -> tuple[list[DataPiece], FakeTransport]:
    transport, peer = FakeTransport(), SpdyPeer()
    collector = StreamCollector(frozenset(NAMES))
    connection = ClientConnection(SpdyConnection(), transport, collector.take)
    talk = [peer.open(1 + 2 * i, streamtype=name) for i, name in enumerate(opened)]
    connection.begin([], b"".join(talk))
    limits = SessionLimits(idle_seconds=3600.0)
    await serve_command(connection, collector, body, limits, json_status=json_status)
    frames = peer.read([transport.written])
    assert transport.written.endswith(spdy_frames.goaway(2 * len(opened) - 1, 0))
    assert transport.closing
    return [frame for frame in frames if isinstance(frame, DataPiece)], transport


async def exits(connection: ClientConnection, streams: CommandStreams) -> Outcome:
    assert streams.stdout is not None
    await streams.stdout.write(b"said")
    return Outcome(exit_code=7)


async def fails(connection: ClientConnection, streams: CommandStreams) -> Outcome:
    raise NotFound("container 12ab", "does not exist")


async def breaks(connection: ClientConnection, streams: CommandStreams) -> Outcome:
    raise ValueError("a secret detail")


def status_of(pieces: list[DataPiece]) -> dict[str, object]:
    value = json.loads(b"".join(piece.data for piece in pieces if piece.id == 1))
    assert isinstance(value, dict)
    return value


async def test_outputs_end_before_the_status_and_input_after_it() -> None:
    pieces, _ = await served(exits)
    order = [(piece.id, piece.fin) for piece in pieces]
    assert order == [(5, False), (5, True), (7, True), (1, False), (1, True), (3, True), (9, True)]
    assert status_of(pieces)["reason"] == "NonZeroExitCode"


async def test_old_protocols_get_words() -> None:
    pieces, _ = await served(exits, json_status=False)
    text = b"".join(piece.data for piece in pieces if piece.id == 1)
    assert text == b"command terminated with non-zero exit code: 7"


async def test_failures_are_told() -> None:
    pieces, _ = await served(fails)
    assert "container 12ab: does not exist" in str(status_of(pieces)["message"])


async def test_faults_of_ours_are_told_without_details() -> None:
    pieces, _ = await served(breaks)
    message = str(status_of(pieces)["message"])
    assert "ValueError" in message
    assert "secret" not in message


async def test_missing_streams_are_named() -> None:
    pieces, _ = await served(exits, opened=("error", "stdin"))
    assert "no resize, stderr, stdout stream" in str(status_of(pieces)["message"])


async def test_a_client_that_leaves_before_its_streams_ends_the_session(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(command_streams, "CREATION_SECONDS", 600.0)
    collector = StreamCollector(frozenset(NAMES))
    connection = ClientConnection(SpdyConnection(), FakeTransport(), collector.take)
    connection.begin([], b"\x80\x03\x00\x01\x00\x00\x00\x00")  # breaks the protocol
    limits = SessionLimits(idle_seconds=3600.0)
    outcome = await serve_command(connection, collector, exits, limits, json_status=True)
    assert outcome.failure == "the client hung up before its streams had come"


async def test_a_client_without_error_stream_is_just_closed() -> None:
    pieces, _ = await served(exits, opened=("stdin",))
    assert [(piece.id, piece.fin) for piece in pieces] == [(1, True)]
