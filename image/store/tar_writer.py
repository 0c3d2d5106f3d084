"""Write plain tars of regular files: headers and padding in POSIX ustar form, sizes in base 256 when they need it.

Pure: numbers in, bytes out. Fixed owner, mode and time, so the same content gives the same archive.
"""

BLOCK = 512
END = bytes(2 * BLOCK)
"""Two blocks of zeroes end an archive."""

_MAX_OCTAL = 0o77777777777


def file_header(name: str, size: int) -> bytes:
    """Return the header of a regular file of mode 0644.

    Raises:
        ValueError: the name is longer than a header holds, or the size is negative.
    """
    raw = name.encode()
    if len(raw) > 100 or size < 0:
        raise ValueError(f"member {name!r} of {size} bytes does not fit into a tar header")
    fields = [
        raw.ljust(100, b"\0"),
        b"0000644\0",
        b"0000000\0",
        b"0000000\0",
        _number(size),
        b"00000000000\0",
        b" " * 8,
        b"0",
        bytes(100),
        b"ustar\x0000",
    ]
    block = b"".join(fields).ljust(BLOCK, b"\0")
    checksum = b"%06o\0 " % sum(block)
    return block[:148] + checksum + block[156:]


def padding(size: int) -> bytes:
    """Return what fills the last block of a member."""
    return bytes(-size % BLOCK)


def whole_member(name: str, content: bytes) -> bytes:
    """Return a small member whole."""
    return file_header(name, len(content)) + content + padding(len(content))


def _number(size: int) -> bytes:
    if size <= _MAX_OCTAL:
        return b"%011o\0" % size
    return b"\x80" + size.to_bytes(11, "big")  # GNU tar's manual, "Extensions to the tar format"
