"""WebSocket frames: pieces of messages, pings, closes, and what is refused."""

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Opcode

from cri.streaming.wire.link_events import LinkError
from cri.streaming.wire.websocket_frames import (
    FRAME_LIMIT,
    ClosedByPeer,
    MessagePiece,
    WebSocketConnection,
)
from cri.tests.streaming.wire.peers import websocket_frame, websocket_payloads


def test_messages_arrive_frame_by_frame() -> None:
    socket = WebSocketConnection()
    data = websocket_frame(b"ab", fin=False)
    data += websocket_frame(b"hi", Opcode.PING)
    data += websocket_frame(b"", Opcode.PONG)
    data += websocket_frame(b"cd", Opcode.CONT)
    data += websocket_frame(b"text", Opcode.TEXT)
    assert socket.receive(data) == [
        MessagePiece(b"ab", True, False, False),
        MessagePiece(b"cd", False, True, False),
        MessagePiece(b"text", True, True, True),
    ]
    assert websocket_payloads(socket.take_output()) == [(Opcode.PONG, b"hi")]


@given(st.integers(1, 40))
def test_any_split_gives_the_same_pieces(step: int) -> None:
    socket = WebSocketConnection()
    data = websocket_frame(b"x" * 300) + websocket_frame(b"", Opcode.TEXT)
    found = [p for at in range(0, len(data), step) for p in socket.receive(data[at : at + step])]
    assert found == [
        MessagePiece(b"x" * 300, True, True, False),
        MessagePiece(b"", True, True, True),
    ]


def test_a_close_is_echoed_and_ends_sending() -> None:
    socket = WebSocketConnection()
    assert socket.receive(websocket_frame(b"\x03\xe8", Opcode.CLOSE)) == [ClosedByPeer()]
    assert websocket_payloads(socket.take_output()) == [(Opcode.CLOSE, b"\x03\xe8")]
    socket.send(b"late")
    socket.close()
    assert socket.receive(b"whatever") == []
    assert socket.take_output() == []


def test_our_close_has_its_code_and_reason() -> None:
    socket = WebSocketConnection()
    socket.send(b"last")
    socket.send(b"words", text=True)
    socket.close()
    assert websocket_payloads(socket.take_output()) == [
        (Opcode.BINARY, b"last"),
        (Opcode.TEXT, b"words"),
        (Opcode.CLOSE, b"\x03\xe8"),
    ]
    assert socket.receive(websocket_frame(b"still")) == [MessagePiece(b"still", True, True, False)]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (websocket_frame(b"bare", masked=False), 1002),
        (websocket_frame(b"", Opcode.CONT), 1002),
        (b"\x83\x80\0\0\0\0", 1002),
        (b"\xc2\x80\0\0\0\0", 1002),
        (b"\x82\xff" + (FRAME_LIMIT + 1).to_bytes(8, "big"), 1009),
    ],
    ids=["unmasked", "continuation of nothing", "reserved opcode", "reserved bit", "too large"],
)
def test_what_breaks_the_rules_is_closed_with_a_code(data: bytes, code: int) -> None:
    socket = WebSocketConnection()
    with pytest.raises(LinkError, match="websocket"):
        socket.receive(data)
    ((opcode, payload),) = websocket_payloads(socket.take_output())
    assert opcode == Opcode.CLOSE
    assert payload[:2] == code.to_bytes(2, "big")


@given(st.binary(max_size=100))
def test_noise_is_pieces_or_an_error(noise: bytes) -> None:
    socket = WebSocketConnection()
    try:
        for piece in socket.receive(noise):
            assert isinstance(piece, MessagePiece | ClosedByPeer)
    except LinkError:
        pass


def test_nothing_of_the_content_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        WebSocketConnection().receive(websocket_frame(b"a password"))
    assert "password" not in caplog.text
