"""Reads an EROFS index as its format description has it, sharing no code with the writer: a second opinion in tests.

Checks on the way what kernels rely on: order of names, inline data inside blocks, whole pages, counts of links.
"""

import stat
import struct
from dataclasses import dataclass, field

PREFIXES = {
    1: "user.",
    2: "system.posix_acl_access",
    3: "system.posix_acl_default",
    4: "trusted.",
    6: "security.",
}


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One file as the index shows it."""

    nid: int
    mode: int
    uid: int
    gid: int
    mtime_ns: int
    links: int
    xattrs: dict[str, bytes] = field(default_factory=dict)
    content: bytes = b""
    """Data, target of a link, or nothing."""
    device: tuple[int, int] = (0, 0)


def read_index(index: bytes, tar: bytes) -> dict[bytes, Seen]:
    """Return every path with what is there; the root is the empty path."""
    assert len(index) % 4096 == 0
    reader = _Reader(index, tar)
    found: dict[bytes, Seen] = {}
    waiting = [(b"", reader.root, reader.root)]
    while waiting:
        path, nid, above = waiting.pop()
        found[path] = seen = reader.inode(nid)
        if not stat.S_ISDIR(seen.mode):
            continue
        entries = reader.directory(nid)
        assert entries.pop(b".") == (nid, 2)
        assert entries.pop(b"..") == (above, 2)
        waiting += [
            (path + b"/" + n if path else n, child, nid) for n, (child, _) in entries.items()
        ]
        for child, kind in entries.values():
            assert kind == KINDS[stat.S_IFMT(reader.inode(child).mode)]
    _check_links(found)
    assert len({seen.nid for seen in found.values()}) == reader.count
    return found


KINDS = {
    stat.S_IFREG: 1,
    stat.S_IFDIR: 2,
    stat.S_IFCHR: 3,
    stat.S_IFBLK: 4,
    stat.S_IFIFO: 5,
    stat.S_IFLNK: 7,
}


def _check_links(found: dict[bytes, Seen]) -> None:
    names: dict[int, int] = {}
    for seen in found.values():
        if stat.S_ISDIR(seen.mode):
            names[seen.nid] = 2
    for path, seen in found.items():
        if not stat.S_ISDIR(seen.mode):
            names[seen.nid] = names.get(seen.nid, 0) + 1
        elif path:
            names[found[path.rpartition(b"/")[0]].nid] += 1
    assert all(names[seen.nid] == seen.links for seen in found.values())


class _Reader:
    def __init__(self, index: bytes, tar: bytes) -> None:
        self.index, self.tar = index, tar
        head = struct.unpack_from("<IIIBBHQQIIII16s16sIHHHBB", index, 1024)
        assert head[0] == 0xE0F5E1E2
        assert head[3] == 9
        self.root, self.count = head[5], head[6]
        assert head[9] == len(index) // 512
        assert (head[14], head[16], head[17]) == (4 | 8, 1, 9)
        blocks, unified = struct.unpack_from("<II", index, 1152 + 64)
        assert unified == len(index) // 512
        assert blocks * 512 >= len(tar)

    def _raw(self, nid: int) -> tuple[int, ...]:
        return struct.unpack_from("<HHHHQIIIIqII", self.index, nid * 32)

    def inode(self, nid: int) -> Seen:
        form, _, mode, _, size, where, _, uid, gid, seconds, nanoseconds, links = self._raw(nid)
        assert form & 1
        content, device = b"", (0, 0)
        if stat.S_ISREG(mode) and size:
            assert form >> 1 == 4
            content = self._chunks(nid, size, where)
        elif stat.S_ISLNK(mode):
            content = self._flat(nid)
        elif stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
            device = (where >> 8 & 0xFFF, where & 0xFF | where >> 12 & ~0xFF)
        return Seen(
            nid=nid,
            mode=mode,
            uid=uid,
            gid=gid,
            mtime_ns=seconds * 10**9 + nanoseconds,
            links=links,
            xattrs=self._xattrs(nid),
            content=content,
            device=device,
        )

    def _xattr_size(self, nid: int) -> int:
        count = self._raw(nid)[1]
        return 12 + 4 * (count - 1) if count else 0

    def _xattrs(self, nid: int) -> dict[str, bytes]:
        position, end = nid * 32 + 64 + 12, nid * 32 + 64 + self._xattr_size(nid)
        found = {}
        while position < end:
            length, index, size = struct.unpack_from("<BBH", self.index, position)
            name = self.index[position + 4 : position + 4 + length].decode()
            value = self.index[position + 4 + length : position + 4 + length + size]
            found[PREFIXES[index] + name] = value
            position += -(-(4 + length + size) // 4) * 4
        return found

    def _chunks(self, nid: int, size: int, form: int) -> bytes:
        assert form & 0x20
        chunk = 1 << ((form & 0x1F) + 9)
        place = -(-(nid * 32 + 64 + self._xattr_size(nid)) // 8) * 8
        content = b""
        for number in range(-(-size // chunk)):
            high, device, block = struct.unpack_from("<HHI", self.index, place + 8 * number)
            wanted = min(chunk, size - number * chunk)
            if (high, device, block) == (0xFFFF, 0xFFFF, 0xFFFFFFFF):
                content += bytes(wanted)
                continue
            assert (high, device) == (0, 1)
            piece = self.tar[block * 512 : block * 512 + wanted]
            assert len(piece) == wanted
            content += piece
        return content

    def _flat(self, nid: int) -> bytes:
        form, _, _, _, size, block = self._raw(nid)[:6]
        if form >> 1 == 0:
            return self.index[block * 512 : block * 512 + size]
        assert form >> 1 == 2
        tail = nid * 32 + 64 + self._xattr_size(nid)
        length = size % 512
        assert tail // 512 == (tail + length - 1) // 512, "inline data crosses a block"
        whole = self.index[block * 512 : block * 512 + size - length]
        return whole + self.index[tail : tail + length]

    def directory(self, nid: int) -> dict[bytes, tuple[int, int]]:
        content = self._flat(nid)
        found: dict[bytes, tuple[int, int]] = {}
        for start in range(0, len(content), 512):
            block = content[start : start + 512]
            count = struct.unpack_from("<H", block, 8)[0] // 12
            heads = [struct.unpack_from("<QHBB", block, 12 * n) for n in range(count)]
            ends = [head[1] for head in heads[1:]] + [len(block)]
            for (child, begin, kind, _), end in zip(heads, ends, strict=True):
                name = block[begin:end].rstrip(b"\0")
                found[name] = (child, kind)
        assert list(found) == sorted(found), "names are not in the order of the kernel's search"
        return found
