"""Makes tars for tests: members by few words, and headers by hand where an honest archiver refuses to lie."""

import io
import tarfile
from collections.abc import Mapping

DIRECTORY, SYMLINK, HARD_LINK = tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE
CHARACTER, FIFO = tarfile.CHRTYPE, tarfile.FIFOTYPE


class TarMaker:
    """Collects members; `done` gives the archive."""

    def __init__(self, form: int = tarfile.PAX_FORMAT) -> None:
        self._target = io.BytesIO()
        self._archive = tarfile.open(fileobj=self._target, mode="w", format=form)  # noqa: SIM115

    def add(
        self,
        name: str,
        content: bytes = b"",
        *,
        type: bytes = tarfile.REGTYPE,
        link: str = "",
        mode: int | None = None,
        owner: tuple[int, int] = (0, 0),
        mtime: float = 1_000_000_000,
        pax: Mapping[str, str] | None = None,
        device: tuple[int, int] = (0, 0),
    ) -> "TarMaker":
        member = tarfile.TarInfo(name)
        member.type, member.linkname, member.mtime = type, link, mtime
        member.mode = mode if mode is not None else (0o755 if type == DIRECTORY else 0o644)
        member.uid, member.gid = owner
        member.devmajor, member.devminor = device
        member.pax_headers = dict(pax or {})
        member.size = len(content)
        self._archive.addfile(member, io.BytesIO(content))
        return self

    def raw(self, content: bytes) -> "TarMaker":
        """Put bytes between members."""
        self._target.write(content)
        self._archive.offset += len(content)
        return self

    def done(self) -> bytes:
        self._archive.close()
        return self._target.getvalue()


def header(
    name: bytes = b"f",
    *,
    type: bytes = b"0",
    size: bytes = b"00000000000\0",
    link: bytes = b"",
    uid: bytes = b"0000000\0",
    gid: bytes = b"0000000\0",
    devices: bytes = b"0000000\x00" * 2,
    magic: bytes = b"ustar\x0000",
    prefix: bytes = b"",
) -> bytes:
    """Make one header block with a right checksum and whatever the fields say."""
    block = bytearray(512)
    block[0 : len(name)] = name
    block[100:108] = b"0000644\0"
    block[108:116], block[116:124], block[124:136] = uid, gid, size
    block[136:148] = b"00000000000\0"
    block[156:157] = type
    block[157 : 157 + len(link)] = link
    block[257:265] = magic
    block[329:345] = devices
    block[345 : 345 + len(prefix)] = prefix
    return sealed(block)


def sealed(block: bytearray) -> bytes:
    """Write the checksum of a header."""
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


class Chunks:
    """A ByteSource that gives an archive in pieces of one size."""

    def __init__(self, content: bytes, size: int = 256 * 1024) -> None:
        self._content = content
        self._size = size
        self._position = 0

    def read_chunk(self) -> bytes:
        chunk = self._content[self._position : self._position + self._size]
        self._position += len(chunk)
        return chunk
