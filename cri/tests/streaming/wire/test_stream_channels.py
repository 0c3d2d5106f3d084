"""Channels of WebSocket messages in every dialect."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Opcode

from cri.streaming.wire.channel_uses import command_channels
from cri.streaming.wire.link_events import (
    LinkEnded,
    LinkError,
    LinkEvent,
    StreamData,
    StreamEnded,
    StreamOpened,
)
from cri.streaming.wire.stream_channels import ChannelLink, Dialect
from cri.tests.streaming.wire.peers import websocket_frame, websocket_payloads

ALL = frozenset({"stdin", "stdout", "stderr", "error", "resize"})
PLAIN, BASE64, V5 = Dialect(), Dialect(base64=True), Dialect(closes=True)


def link_of(dialect: Dialect, wanted: frozenset[str] = ALL) -> ChannelLink:
    link = ChannelLink(dialect, command_channels(wanted))
    link.take_output()
    return link


def test_all_channels_exist_at_once_and_the_lowest_output_greets() -> None:
    link = ChannelLink(PLAIN, command_channels(ALL))
    assert [event.id for event in link.opened() if isinstance(event, StreamOpened)] == [*range(5)]
    assert websocket_payloads(link.take_output()) == [(Opcode.BINARY, b"\x01")]
    link.accept(1)
    link.finish(1)
    link.seal()
    link.close()
    assert link.take_output() == []


def test_messages_go_to_the_channel_of_their_first_byte() -> None:
    link = link_of(PLAIN)
    data = websocket_frame(b"\x00ab", fin=False) + websocket_frame(b"cd", Opcode.CONT)
    data += websocket_frame(b"\x04size") + websocket_frame(b"\x00text is fine", Opcode.TEXT)
    assert link.receive(data) == [
        StreamData(0, b"ab"),
        StreamData(0, b"cd"),
        StreamData(4, b"size"),
        StreamData(0, b"text is fine"),
    ]
    link.send(2, b"problem")
    assert websocket_payloads(link.take_output()) == [(Opcode.BINARY, b"\x02problem")]


def test_what_belongs_nowhere_is_dropped() -> None:
    link = link_of(PLAIN, frozenset({"error", "stdout"}))
    for message in (b"", b"\x00no stdin", b"\x01not yours", b"\x09none", b"\xff\x00", b"\x04"):
        assert link.receive(websocket_frame(message)) == []


def test_a_reset_channel_takes_nothing_more() -> None:
    link = link_of(PLAIN)
    link.reset(0)
    assert link.receive(websocket_frame(b"\x00late")) == []


def test_base64_is_text_in_both_directions() -> None:
    link = link_of(BASE64)
    message = b"0" + base64.b64encode(b"hello")
    assert link.receive(websocket_frame(message, Opcode.TEXT)) == [StreamData(0, b"hello")]
    link.send(1, b"goj\n")
    assert websocket_payloads(link.take_output()) == [
        (Opcode.TEXT, b"1" + base64.b64encode(b"goj\n"))
    ]


@given(st.binary(min_size=1, max_size=50), st.integers(1, 9))
def test_base64_may_be_cut_anywhere(content: bytes, step: int) -> None:
    link = link_of(BASE64)
    message = b"0" + base64.b64encode(content)
    pieces = [message[at : at + step] for at in range(0, len(message), step)]
    received: list[LinkEvent] = []
    for number, piece in enumerate(pieces):
        opcode = Opcode.CONT if number else Opcode.TEXT
        last = number == len(pieces) - 1
        received += link.receive(websocket_frame(piece, opcode, fin=last))
    data = b"".join(event.data for event in received if isinstance(event, StreamData))
    assert data == content


@pytest.mark.parametrize("message", [b"0abc", b"0a=bc", b"0\xff\xff\xff\xff"])
def test_what_is_no_base64_closes(message: bytes) -> None:
    link = link_of(BASE64)
    with pytest.raises(LinkError, match="base64"):
        link.receive(websocket_frame(message))
    assert websocket_payloads(link.take_output())[0][1][:2] == b"\x03\xea"


def test_v5_ends_one_channel() -> None:
    link = link_of(V5)
    assert link.receive(websocket_frame(b"\xff\x00")) == [StreamEnded(0)]
    assert link.receive(websocket_frame(b"\xff\x00")) == []  # twice
    assert link.receive(websocket_frame(b"\xff\x01")) == []  # ours
    assert link.receive(websocket_frame(b"\x00late")) == []
    cut = websocket_frame(b"\xff", fin=False) + websocket_frame(b"\x04", Opcode.CONT)
    assert link.receive(cut) == [StreamEnded(4)]


@pytest.mark.parametrize("message", [b"\xff", b"\xff\x00\x00"])
def test_v5_refuses_damaged_close_signals(message: bytes) -> None:
    link = link_of(V5)
    with pytest.raises(LinkError, match="close signal"):
        link.receive(websocket_frame(message))
    assert websocket_payloads(link.take_output())[0][1][:2] == b"\x03\xea"


def test_v5_takes_text_as_bytes() -> None:
    assert link_of(V5).receive(websocket_frame(b"\x00a", Opcode.TEXT)) == [StreamData(0, b"a")]


def test_the_end_is_a_close_with_code_1000() -> None:
    link = link_of(PLAIN)
    link.end_session()
    link.send(1, b"late")
    assert websocket_payloads(link.take_output()) == [(Opcode.CLOSE, b"\x03\xe8")]


def test_the_clients_close_ends_the_link() -> None:
    assert link_of(PLAIN).receive(websocket_frame(b"", Opcode.CLOSE)) == [LinkEnded()]
