"""Header blocks: compressed state, limits, damage."""

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cri.streaming.wire.link_events import LinkError
from cri.streaming.wire.spdy_dictionary import DICTIONARY
from cri.streaming.wire.spdy_headers import HeaderReader, HeaderWriter, parse_headers
from cri.tests.streaming.wire.peers import SpdyPeer


def word(number: int) -> bytes:
    return struct.pack(">I", number)


def test_blocks_of_one_direction_refer_to_each_other() -> None:
    peer, reader = SpdyPeer(), HeaderReader()
    first = peer.block({"streamtype": "error"})
    second = peer.block({"Streamtype": "stdin"})
    assert len(second) < len(first)
    assert reader.read(first) == {"streamtype": "error"}
    assert reader.read(second) == {"streamtype": "stdin"}


def test_the_first_block_is_what_clients_were_seen_to_send_and_get() -> None:
    block = bytes.fromhex("38ace3c6a7c202a6230600000000ffff")
    assert HeaderWriter().write({}) == block
    assert HeaderReader().read(block) == {}


@given(st.lists(st.dictionaries(st.text("abcxyz-", min_size=1), st.text("a\xe9:/"))))
def test_what_is_written_is_read(blocks: list[dict[str, str]]) -> None:
    writer, reader = HeaderWriter(), HeaderReader()
    for headers in blocks:
        assert reader.read(writer.write(headers)) == headers


def test_a_bomb_is_refused_before_it_grows() -> None:
    with pytest.raises(LinkError, match="too large"):
        HeaderReader().read(SpdyPeer().compressed(bytes(100 * 1024 * 1024)))


def test_damage_is_refused() -> None:
    without = zlib.compress(b"no dictionary at all")
    for block in (b"\x00\x01\x02\x03", without, SpdyPeer().compressed(DICTIONARY)):
        with pytest.raises(LinkError):
            HeaderReader().read(block)


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "ends early"),
        (word(2**32 - 1), "4294967295 headers"),
        (word(1) + word(1) + b"a", "ends early"),
        (word(1) + word(9) + b"a", "longer than"),
        (word(1) + word(0) + word(0), "no name"),
        (word(2) + (word(1) + b"a" + word(0)) * 2, "twice"),
        (word(0) + b"rest", "behind its end"),
    ],
)
def test_nonsense_inside_is_refused(raw: bytes, why: str) -> None:
    with pytest.raises(LinkError, match=why):
        parse_headers(raw)
