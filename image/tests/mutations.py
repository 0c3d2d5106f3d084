"""Damaged copies of a valid document, the same in each run: bytes changed, cut, doubled, moved, and words put in."""

import random
from collections.abc import Iterator

WORDS = (
    b"",
    b"\0",
    b"\xff\xfe",
    b'"',
    b"{",
    b"[[[[",
    b"]",
    b"null",
    b"true",
    b"-1",
    b"0",
    b"1e999",
    b"9" * 400,
    b"18446744073709551616",
    b"../../x",
    b"/",
    b"sha256:",
    b"\\u0000",
    b"\\ud800",
    b"\xc3\xa9",
    b"\n",
    b"=",
    b",",
    b"'''",
    b"%s" * 9,
)


def damaged(sample: bytes, times: int) -> Iterator[bytes]:
    """Yield so many damaged copies, some of them damaged more than once."""
    chance = random.Random(sample)
    for _ in range(times):
        content = sample
        for _ in range(chance.choice((1, 1, 2, 5))):
            content = _damaged_once(content, chance)
        yield content
    yield from (sample[:end] for end in range(0, len(sample), max(1, len(sample) // 60)))


def _damaged_once(content: bytes, chance: random.Random) -> bytes:
    one, other = sorted(chance.randint(0, len(content)) for _ in range(2))
    near = min(len(content), one + chance.randint(1, 12))
    match chance.randrange(6):
        case 0:
            return content[:one] + bytes([chance.randrange(256)]) + content[one + 1 :]
        case 1:
            return content[:one] + content[near:]
        case 2:
            return content[:one] + chance.choice(WORDS) + content[near:]
        case 3:
            return content[:near] + content[one:]
        case 4:
            return content[:other] + content[one:other] + content[other:]
        case _:
            return content[:one] + chance.choice(WORDS) + content[one:]
