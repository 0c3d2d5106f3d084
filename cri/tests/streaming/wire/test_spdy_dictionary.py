"""The dictionary is the one that every SPDY/3 peer has."""

import hashlib
import zlib

from cri.streaming.wire.spdy_dictionary import DICTIONARY


def test_it_is_the_dictionary_of_the_draft_byte_by_byte() -> None:
    digest = hashlib.sha256(DICTIONARY).hexdigest()
    assert len(DICTIONARY) == 1423
    assert digest == "51d27341373f923f3cd88e1eb7162aeaa3723d7585ff2399201dc06498407f02"
    assert zlib.adler32(DICTIONARY) == 0xE3C6A7C2
