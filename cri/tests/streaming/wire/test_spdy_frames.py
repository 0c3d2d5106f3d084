"""Frames: any split of the bytes gives the same frames; sizes are bounded before anything is kept."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cri.streaming.wire import spdy_frames
from cri.streaming.wire.link_events import LinkError
from cri.streaming.wire.spdy_frames import ControlFrame, DataPiece, FrameReader, FrameType

FRAMES = [
    spdy_frames.syn_stream(1, b"block", fin=True),
    spdy_frames.data_frame(1, b"hello"),
    spdy_frames.data_frame(3, b"", fin=True),
    spdy_frames.syn_reply(1, b"x" * 300),
    spdy_frames.data_frame(5, b"y" * 1000, fin=True),
    spdy_frames.rst_stream(3, 5),
    spdy_frames.ping(7),
    spdy_frames.goaway(5, 0),
]
STREAM = b"".join(FRAMES)


def joined(frames: list[ControlFrame | DataPiece]) -> list[ControlFrame | DataPiece]:
    """Put pieces of one data frame together."""
    whole: list[ControlFrame | DataPiece] = []
    for frame in frames:
        last = whole[-1] if whole else None
        if (
            isinstance(frame, DataPiece)
            and isinstance(last, DataPiece)
            and last.id == frame.id
            and not last.fin
        ):
            whole[-1] = DataPiece(frame.id, last.data + frame.data, frame.fin)
        else:
            whole.append(frame)
    return whole


EXPECTED = [
    ControlFrame(FrameType.SYN_STREAM, 1, bytes([0, 0, 0, 1, 0, 0, 0, 0, 0, 0]) + b"block"),
    DataPiece(1, b"hello", False),
    DataPiece(3, b"", True),
    ControlFrame(FrameType.SYN_REPLY, 0, bytes([0, 0, 0, 1]) + b"x" * 300),
    DataPiece(5, b"y" * 1000, True),
    ControlFrame(FrameType.RST_STREAM, 0, bytes([0, 0, 0, 3, 0, 0, 0, 5])),
    ControlFrame(FrameType.PING, 0, bytes([0, 0, 0, 7])),
    ControlFrame(FrameType.GOAWAY, 0, bytes([0, 0, 0, 5, 0, 0, 0, 0])),
]


@given(st.lists(st.integers(0, len(STREAM))))
def test_any_split_gives_the_same_frames(cuts: list[int]) -> None:
    reader = FrameReader()
    edges = [0, *sorted(cuts), len(STREAM)]
    frames = [frame for a, b in itertools.pairwise(edges) for frame in reader.feed(STREAM[a:b])]
    assert joined(frames) == EXPECTED


def test_single_bytes_give_the_same_frames() -> None:
    reader = FrameReader()
    frames = [frame for byte in STREAM for frame in reader.feed(bytes([byte]))]
    assert joined(frames) == EXPECTED


@given(st.binary(max_size=200), st.data())
def test_mutated_bytes_are_frames_or_an_error(noise: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(STREAM)))
    reader = FrameReader()
    try:
        for frame in reader.feed(STREAM[:at] + noise + STREAM[at + len(noise) :]):
            assert isinstance(frame, ControlFrame | DataPiece)
    except LinkError:
        pass


def test_data_is_handed_on_before_its_frame_is_complete() -> None:
    reader = FrameReader()
    frame = spdy_frames.data_frame(1, b"abcdef", fin=True)
    assert reader.feed(frame[:10]) == [DataPiece(1, b"ab", False)]
    assert reader.feed(frame[10:]) == [DataPiece(1, b"cdef", True)]


def test_another_version_is_refused() -> None:
    with pytest.raises(LinkError, match="version 2"):
        FrameReader().feed(bytes.fromhex("8002000100000000"))


def test_a_long_control_frame_is_refused_by_its_head() -> None:
    with pytest.raises(LinkError, match="16777215 bytes"):
        FrameReader().feed(bytes.fromhex("8003000400ffffff"))


def test_short_payloads_are_refused() -> None:
    with pytest.raises(LinkError):
        spdy_frames.parse_syn_stream(b"123")
    with pytest.raises(LinkError):
        spdy_frames.parse_with_id(b"123")
    assert spdy_frames.parse_with_id(b"\0\0\0\7rest") == (7, b"rest")
    assert spdy_frames.parse_syn_stream(b"\x80\0\0\1______block") == (1, b"block")
