"""One SPDY connection: states of streams, refusals, limits, and that nothing odd ever breaks it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cri.streaming.wire import spdy_connection, spdy_frames
from cri.streaming.wire.link_events import (
    LinkError,
    StreamData,
    StreamEnded,
    StreamOpened,
    StreamReset,
)
from cri.streaming.wire.spdy_connection import SpdyConnection
from cri.streaming.wire.spdy_frames import (
    ControlFrame,
    DataPiece,
    FrameType,
    GoAwayStatus,
    ResetStatus,
)
from cri.tests.streaming.wire.peers import SpdyPeer


@pytest.fixture
def peer() -> SpdyPeer:
    return SpdyPeer()


@pytest.fixture
def link() -> SpdyConnection:
    return SpdyConnection()


def opened(link: SpdyConnection, peer: SpdyPeer, id: int = 1) -> None:
    link.receive(peer.open(id, streamtype="data"))
    link.accept(id)
    link.take_output()


def resets(peer: SpdyPeer, link: SpdyConnection) -> list[tuple[int, int]]:
    found = []
    for frame in peer.read(link.take_output()):
        assert isinstance(frame, ControlFrame)
        assert frame.type == FrameType.RST_STREAM
        id, status = spdy_frames.parse_with_id(frame.payload)
        found.append((id, int.from_bytes(status, "big")))
    return found


def test_a_stream_is_opened_answered_and_used_both_ways(
    link: SpdyConnection, peer: SpdyPeer
) -> None:
    assert link.receive(peer.open(1, streamtype="error")) == [
        StreamOpened(1, {"streamtype": "error"})
    ]
    assert link.take_output() == []  # silent until asked
    link.accept(1)
    (reply,) = peer.read(link.take_output())
    assert isinstance(reply, ControlFrame)
    assert reply.type == FrameType.SYN_REPLY
    assert peer.replies.read(reply.payload[4:]) == {}
    assert link.receive(spdy_frames.data_frame(1, b"in")) == [StreamData(1, b"in")]
    link.send(1, b"out")
    link.finish(1)
    assert peer.read(link.take_output()) == [
        DataPiece(1, b"out", False),
        DataPiece(1, b"", True),
    ]
    link.send(1, b"too late")
    link.finish(1)
    assert link.take_output() == []
    assert link.receive(spdy_frames.data_frame(1, b"end", fin=True)) == [
        StreamData(1, b"end"),
        StreamEnded(1),
    ]


def test_an_end_may_come_with_the_opening(link: SpdyConnection, peer: SpdyPeer) -> None:
    assert link.receive(peer.open(1, fin=True, streamtype="error"))[1:] == [StreamEnded(1)]
    link.accept(1)
    link.accept(1)  # once is enough
    link.send(1, b"x")
    link.finish(1)
    assert len(peer.read(link.take_output())) == 3
    assert link.receive(spdy_frames.rst_stream(1, 5)) == []  # closed by both


def test_data_before_the_answer_is_kept_and_ours_is_not_sent(
    link: SpdyConnection, peer: SpdyPeer
) -> None:
    link.receive(peer.open(1, streamtype="stdin"))
    assert link.receive(spdy_frames.data_frame(1, b"early")) == [StreamData(1, b"early")]
    link.send(1, b"x")
    link.finish(1)
    assert link.take_output() == []


def test_resets_close_both_directions(link: SpdyConnection, peer: SpdyPeer) -> None:
    opened(link, peer)
    assert link.receive(spdy_frames.rst_stream(1, 5)) == [StreamReset(1)]
    assert link.receive(spdy_frames.data_frame(1, b"under way")) == []
    opened(link, peer, 3)
    link.reset(3)
    link.reset(3)
    assert resets(peer, link) == [(3, ResetStatus.CANCEL)]
    link.receive(peer.open(5))
    link.reset(5)
    assert resets(peer, link) == [(5, ResetStatus.REFUSED_STREAM)]


def test_data_on_streams_that_cannot_have_it_is_refused(
    link: SpdyConnection, peer: SpdyPeer
) -> None:
    opened(link, peer)
    link.receive(spdy_frames.data_frame(1, b"", fin=True))
    assert link.receive(spdy_frames.data_frame(1, b"more")) == [StreamReset(1)]
    assert link.receive(spdy_frames.data_frame(99, b"who")) == []
    assert resets(peer, link) == [
        (1, ResetStatus.STREAM_ALREADY_CLOSED),
        (99, ResetStatus.INVALID_STREAM),
    ]


@pytest.mark.parametrize("ids", [(2,), (0,), (5, 3), (5, 5)])
def test_ids_are_odd_and_grow(link: SpdyConnection, peer: SpdyPeer, ids: tuple[int, ...]) -> None:
    talk = b"".join(peer.open(id) for id in ids)
    with pytest.raises(LinkError, match="cannot be opened"):
        link.receive(talk)
    (frame,) = peer.read(link.take_output())
    assert isinstance(frame, ControlFrame)
    assert frame.type == FrameType.GOAWAY
    assert frame.payload[4:] == GoAwayStatus.PROTOCOL_ERROR.to_bytes(4, "big")


def test_streams_are_limited_and_the_compression_stays_in_step(
    link: SpdyConnection, peer: SpdyPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spdy_connection, "STREAM_LIMIT", 1)
    opened(link, peer)
    assert link.receive(peer.open(3, port="80")) == []
    assert resets(peer, link) == [(3, ResetStatus.REFUSED_STREAM)]
    link.reset(1)
    assert link.receive(peer.open(5, port="81")) == [StreamOpened(5, {"port": "81"})]


def test_after_sealing_no_stream_is_read_or_opened(link: SpdyConnection, peer: SpdyPeer) -> None:
    opened(link, peer)
    link.seal()
    assert link.receive(spdy_frames.syn_stream(3, b"not even read")) == []
    assert resets(peer, link) == [(3, ResetStatus.REFUSED_STREAM)]
    headers = spdy_frames.control_frame(FrameType.HEADERS, b"\0\0\0\1junk")
    assert link.receive(headers) == []
    link.send(1, b"goes on")
    assert peer.read(link.take_output()) == [DataPiece(1, b"goes on", False)]


def test_a_sealed_link_accepts_nothing_that_came_before(
    link: SpdyConnection, peer: SpdyPeer
) -> None:
    link.receive(peer.open(1))
    link.seal()
    link.accept(1)
    assert link.take_output() == []


def test_pings_of_the_client_are_echoed(link: SpdyConnection, peer: SpdyPeer) -> None:
    assert link.receive(spdy_frames.ping(1) + spdy_frames.ping(2)) == []
    assert link.take_output() == [spdy_frames.ping(1)]


def test_what_is_not_needed_is_skipped(link: SpdyConnection, peer: SpdyPeer) -> None:
    opened(link, peer)
    headers = b"\0\0\0\1" + peer.block({"late": "header"})
    skipped = (
        (FrameType.SETTINGS, b"\xff\xff\xff\xff"),
        (FrameType.WINDOW_UPDATE, b""),
        (FrameType.GOAWAY, b""),
        (FrameType.HEADERS, headers),
        (FrameType.RST_STREAM, bytes([0, 0, 0, 9, 0, 0, 0, 1])),
    )
    for type, payload in skipped:
        assert link.receive(spdy_frames.control_frame(type, payload)) == []
    assert link.take_output() == []
    assert link.receive(peer.open(3, a="b")) == [StreamOpened(3, {"a": "b"})]


def test_much_data_is_cut_to_what_a_frame_can_hold(
    link: SpdyConnection, peer: SpdyPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(link, peer)
    monkeypatch.setattr(spdy_frames, "DATA_LIMIT", 4)
    link.send(1, b"abcdef")
    assert link.take_output() == [
        spdy_frames.data_frame(1, b"abcd"),
        spdy_frames.data_frame(1, b"ef"),
    ]


def test_the_end_of_a_session_is_silent_and_goodbye_is_a_goaway(
    link: SpdyConnection, peer: SpdyPeer
) -> None:
    link.end_session()
    assert link.take_output() == []
    link.close()
    assert link.take_output() == [spdy_frames.goaway(0, GoAwayStatus.OK)]


@given(st.lists(st.binary(max_size=60), max_size=8), st.integers(0, 400))
def test_mutated_conversations_end_in_events_or_a_refusal(noise: list[bytes], at: int) -> None:
    peer, link = SpdyPeer(), SpdyConnection()
    talk = peer.open(1, streamtype="error") + peer.open(3, streamtype="stdin")
    talk += spdy_frames.data_frame(3, b"hello", fin=True) + spdy_frames.ping(1)
    talk += peer.open(5, streamtype="stdout") + spdy_frames.rst_stream(5, 5)
    for piece in noise:
        talk = talk[:at] + piece + talk[at + len(piece) :]
        at = (at * 7 + 13) % len(talk)
    try:
        for start in range(0, len(talk), 11):
            for event in link.receive(talk[start : start + 11]):
                if isinstance(event, StreamOpened):
                    link.accept(event.id)
                    link.send(event.id, b"x")
    except LinkError:
        pass
    assert sum(map(len, link.take_output())) < 4096
