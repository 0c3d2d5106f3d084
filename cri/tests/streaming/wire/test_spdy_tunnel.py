"""SPDY inside WebSocket messages."""

import pytest
from websockets.frames import Opcode

from cri.streaming.wire import spdy_frames
from cri.streaming.wire.link_events import LinkEnded, LinkError, StreamData, StreamOpened
from cri.streaming.wire.spdy_frames import ControlFrame, DataPiece, FrameType
from cri.streaming.wire.spdy_tunnel import SpdyTunnel
from cri.tests.streaming.wire.peers import SpdyPeer, websocket_frame, websocket_payloads


def test_frames_may_straddle_messages() -> None:
    link, peer = SpdyTunnel(), SpdyPeer()
    talk = peer.open(1, port="80") + spdy_frames.data_frame(1, b"hello")
    events = [
        event
        for at in range(0, len(talk), 4)
        for event in link.receive(websocket_frame(talk[at : at + 4]))
    ]
    assert events[0] == StreamOpened(1, {"port": "80"})
    data = b"".join(event.data for event in events if isinstance(event, StreamData))
    assert data == b"hello"


def test_each_frame_is_one_message_and_the_end_is_a_close() -> None:
    link, peer = SpdyTunnel(), SpdyPeer()
    link.receive(websocket_frame(peer.open(1, port="80")))
    link.accept(1)
    link.send(1, b"answer")
    link.end_session()
    link.close()
    (_, reply), (_, data), (_, goaway), (opcode, code) = websocket_payloads(link.take_output())
    reply_frame, data_frame, goaway_frame = peer.read([reply, data, goaway])
    assert isinstance(reply_frame, ControlFrame)
    assert reply_frame.type == FrameType.SYN_REPLY
    assert data_frame == DataPiece(1, b"answer", False)
    assert isinstance(goaway_frame, ControlFrame)
    assert (opcode, code) == (Opcode.CLOSE, b"\x03\xe8")


def test_broken_spdy_is_answered_inside_the_tunnel() -> None:
    link = SpdyTunnel()
    with pytest.raises(LinkError, match="version"):
        link.receive(websocket_frame(b"\x80\x02" + bytes(6)))
    assert websocket_payloads(link.take_output())[0][1][:4] == b"\x80\x03\x00\x07"


def test_text_is_refused_and_a_close_ends_the_link() -> None:
    link = SpdyTunnel()
    assert link.receive(websocket_frame(b"", Opcode.CLOSE)) == [LinkEnded()]
    link = SpdyTunnel()
    with pytest.raises(LinkError, match="text"):
        link.receive(websocket_frame(b"text", Opcode.TEXT))
    assert websocket_payloads(link.take_output())[0][1][:2] == b"\x03\xea"
