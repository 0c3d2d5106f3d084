"""Members come back as they went out: by our own reader, and by Python's tarfile."""

import io
import stat
import tarfile

import pytest

from image.store.tar_members import HARD_LINK, Member, member_header, type_of
from image.store.tar_stream import Kind, TarEntry, TarStream
from image.tests.store.tar_making import Chunks

LONG = b"d/" * 90 + b"\xff\xfe"


def read(member: Member) -> TarEntry:
    (entry,) = TarStream(Chunks(member_header(member) + bytes(1024)))
    return entry


@pytest.mark.parametrize(
    "member",
    [
        Member(name=b"a/", type=b"5", mode=0o1777, uid=1, gid=2, mtime_ns=5 * 10**9),
        Member(name=LONG, type=b"0", mode=0o4755, uid=2**32 - 2, gid=2**31),
        Member(name=b"l", type=b"2", link=LONG, mtime_ns=-1_500_000_000),
        Member(name=b"h", type=HARD_LINK, link=b"a/b", mtime_ns=123_456_789),
        Member(name=b"dev", type=b"3", major=10, minor=200, mode=0o666),
        Member(name=b"x", type=b"0", xattrs={"security.capability": b"\x01\0\xff", "user.a": b"1"}),
        Member(name=b"late", type=b"0", mtime_ns=2**40 * 10**9),
    ],
    ids=["directory", "long-name", "link", "hard-link", "device", "attributes", "far-future"],
)
def test_a_member_is_read_as_it_was_written(member: Member) -> None:
    entry = read(member)
    assert (entry.name, entry.link) == (member.name, member.link)
    assert (entry.mode, entry.uid, entry.gid) == (member.mode, member.uid, member.gid)
    assert (entry.mtime_ns, entry.major, entry.minor) == (
        member.mtime_ns,
        member.major,
        member.minor,
    )
    assert entry.xattrs == member.xattrs


def test_a_size_beyond_octal_is_a_record() -> None:
    raw = member_header(Member(name=b"big", type=b"0", size=2**40))
    opened = tarfile.TarInfo.frombuf(raw[-512:], "utf-8", "surrogateescape")
    assert opened.size == 0
    assert b"size=1099511627776\n" in raw


def test_python_reads_it_too() -> None:
    raw = member_header(Member(name=b"a" * 150, type=b"0", size=3, mtime_ns=1_500_000_000))
    with tarfile.open(fileobj=io.BytesIO(raw + b"abc".ljust(512, b"\0") + bytes(1024))) as opened:
        (found,) = opened.getmembers()
    assert (found.name, found.size, found.mtime) == ("a" * 150, 3, 1.5)


def test_lengths_of_records_count_their_own_digits() -> None:
    for length in range(80, 110):
        member = Member(name=b"x", type=b"0", xattrs={"user.a": b"v" * length})
        assert read(member).xattrs == {"user.a": b"v" * length}


def test_kinds_have_their_flags_and_sockets_none() -> None:
    kinds = [stat.S_IFREG, stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFDIR, stat.S_IFIFO]
    assert [Kind(int(type_of(kind | 0o644))) for kind in kinds] == [
        Kind.FILE,
        Kind.SYMLINK,
        Kind.CHARACTER,
        Kind.BLOCK,
        Kind.DIRECTORY,
        Kind.FIFO,
    ]
    assert type_of(stat.S_IFSOCK) == b""
