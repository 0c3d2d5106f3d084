"""Tests of the tar parser, against what an archiver writes and against bytes that none would."""

import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from image.store.tar_headers import TarError
from image.store.tar_stream import Kind, TarEntry, TarStream
from image.tests.store.tar_making import (
    CHARACTER,
    DIRECTORY,
    HARD_LINK,
    SYMLINK,
    Chunks,
    TarMaker,
    header,
)

END = bytes(1024)


def read(content: bytes, size: int = 256 * 1024) -> list[tuple[TarEntry, bytes]]:
    stream = TarStream(Chunks(content, size))
    members = [(entry, b"".join(stream.pieces())) for entry in stream]
    stream.drain()
    return members


def test_long_name_whose_first_part_ends_with_a_slash_is_still_a_file() -> None:
    # The header has the first hundred bytes of the name, the record before it the whole.
    name = "d" * 99 + "/f"
    (found,) = read(TarMaker().add(name, b"content").done())
    assert (found[0].kind, found[0].name, found[1]) == (Kind.FILE, name.encode(), b"content")


@pytest.mark.parametrize(
    ("type", "kind"),
    [(b"0", Kind.FILE), (DIRECTORY, Kind.DIRECTORY), (SYMLINK, Kind.SYMLINK)],
    ids=["file", "directory", "symlink"],
)
def test_records_before_a_plain_header_change_it(type: bytes, kind: Kind) -> None:
    pax = {"uid": "4000000000", "path": "other/", "mtime": "7.5", "SCHILY.xattr.user.a": "b"}
    pax["path"] = "other" if kind is Kind.FILE else "other/"
    archive = TarMaker().add("f", type=type, link="l", pax=pax).add("after", b"1").done()
    (entry, _), (after, content) = read(archive)
    assert (entry.kind, entry.name, entry.size) == (kind, pax["path"].encode(), 0)
    assert (entry.uid, entry.mtime_ns) == (4_000_000_000, 7_500_000_000)
    assert entry.xattrs == {"user.a": b"b"}
    assert (after.name, after.uid, after.xattrs, content) == (b"after", 0, {}, b"1")


def test_record_that_names_a_directory_makes_one_of_a_file() -> None:
    (entry, _), (after, _) = read(TarMaker().add("f", pax={"path": "d/"}).add("after").done())
    assert (entry.kind, entry.name, after.name) == (Kind.DIRECTORY, b"d/", b"after")


def test_size_in_a_record_is_that_of_the_data() -> None:
    record = b"12 size=600\n"
    extension = header(b"x", type=b"x", size=b"00000000014\0") + record.ljust(512, b"\0")
    archive = extension + header(b"f") + b"y" * 600 + bytes(424) + header(b"after") + END
    (entry, content), (after, _) = read(archive)
    assert (entry.size, content, after.name) == (600, b"y" * 600, b"after")


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("size", [7, 512, 5000])
def test_all_kinds_in_all_forms(form: int, size: int) -> None:
    archive = (
        TarMaker(form)
        .add("d", type=DIRECTORY, mode=0o1777, owner=(5, 6))
        .add("d/f", b"x" * 1000, mtime=77)
        .add("d/s", type=SYMLINK, link="../f")
        .add("d/h", type=HARD_LINK, link="d/f")
        .add("d/c", type=CHARACTER, device=(1, 3))
        .add("e")
        .done()
    )
    found = read(archive, size)
    kinds = [entry.kind for entry, _ in found]
    assert kinds == [
        Kind.DIRECTORY,
        Kind.FILE,
        Kind.SYMLINK,
        Kind.HARD_LINK,
        Kind.CHARACTER,
        Kind.FILE,
    ]
    assert found[0][0].mode == 0o1777
    assert (found[0][0].uid, found[0][0].gid) == (5, 6)
    assert found[1][1] == b"x" * 1000
    assert found[1][0].mtime_ns == 77 * 10**9
    assert found[2][0].link == b"../f"
    assert (found[4][0].major, found[4][0].minor) == (1, 3)


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_and_links(form: int) -> None:
    name, link = "n" * 150 + "/" + "m" * 150, "l" * 300
    ((entry, _), (after, _)) = read(
        TarMaker(form).add(name, type=SYMLINK, link=link).add("after").done()
    )
    assert (entry.name, entry.link) == (name.encode(), link.encode())
    assert after.name == b"after"


def test_extended_header_gives_big_numbers_times_and_attributes() -> None:
    pax = {"SCHILY.xattr.user.a": "b", "SCHILY.xattr.trusted.overlay.opaque": "y"}
    ((entry, _),) = read(
        TarMaker().add("f", b"1", owner=(3_000_000, 9), mtime=1.25, pax=pax).done()
    )
    assert entry.uid == 3_000_000
    assert entry.mtime_ns == 1_250_000_000
    assert entry.xattrs == {"user.a": b"b"}


def test_unread_data_is_skipped() -> None:
    archive = TarMaker().add("a", b"x" * 3000).add("b", b"y").done()
    assert [entry.name for entry in TarStream(Chunks(archive, 100))] == [b"a", b"b"]


@pytest.mark.parametrize(
    "archive",
    [
        header(b"a", type=b"1", size=b"00000000777\0", link=b"x") + header(b"b") + END,
        header(b"a/", type=b"5", size=b"00000000777\0") + header(b"b") + END,
    ],
)
def test_size_of_links_and_directories_is_ignored(archive: bytes) -> None:
    assert [entry.name.strip(b"/") for entry, _ in read(archive)] == [b"a", b"b"]


def test_name_with_slash_is_a_directory_in_old_tars() -> None:
    ((entry, _),) = read(header(b"d/", type=b"\0") + END)
    assert entry.kind is Kind.DIRECTORY


def test_global_header_is_ignored() -> None:
    body = b"9 path=a\n".ljust(512, b"\0")
    found = read(header(b"g", type=b"g", size=b"00000000011\0") + body + header(b"real") + END)
    assert [entry.name for entry, _ in found] == [b"real"]


@pytest.mark.parametrize(
    "archive",
    [
        header(b"f", size=b"00000001000\0") + b"cut",
        header(b"f", type=b"x", size=b"77777777777\0") + END,
        header(b"f", type=b"L", size=b"\xff" * 12) + END,
        header(b"f", size=b"\xff" * 12) + END,
        header(b"f", size=b"\x80" + b"\xff" * 11) + END,
        header(b"f", type=b"D") + END,
        header(b"f", type=b"3", devices=b"7777777\0" * 2) + END,
        header(b"f", uid=b"\x80\0\0\1\0\0\0\0") + END,
        header(b"f") + bytes(512) + header(b"g") + END,
        header(b"f")[:300],
        b"not a tar at all".ljust(512),
    ],
)
def test_malformed_archive_is_refused(archive: bytes) -> None:
    with pytest.raises(TarError):
        read(archive)


def test_missing_end_marker_and_last_padding_are_accepted() -> None:
    assert len(read(header(b"f"))) == 1
    assert read(header(b"f", size=b"00000000003\0") + b"abc")[0][1] == b"abc"


@pytest.mark.parametrize("read", [True, False], ids=["read", "passed over"])
@pytest.mark.parametrize(("cut", "whole"), [(0, True), (312, True), (313, False)])
def test_last_padding_may_be_missing_and_data_may_not(read: bool, cut: int, whole: bool) -> None:
    tar = TarMaker().add("f", b"x" * 200).done()[: 1024 - cut]
    stream = TarStream(Chunks(tar))

    def read_all() -> int:
        members = 0
        for _ in stream:
            members += 1
            if read:
                assert b"".join(stream.pieces()) == b"x" * 200
        return members

    if whole:
        assert read_all() == 1
        return
    with pytest.raises(TarError, match="ends inside"):
        read_all()


@pytest.mark.parametrize("version", ["gnu", "0.0", "0.1", "1.0"])
def test_sparse_files_of_gnu_tar(version: str, tmp_path: Path) -> None:
    with (tmp_path / "holes").open("wb") as stream:
        for place in range(0, 40 * 65536, 65536):
            stream.seek(place)
            stream.write(b"data")
        stream.truncate(50 * 65536)
    form = ["--format=gnu"] if version == "gnu" else ["--format=pax", f"--sparse-version={version}"]
    command = ["tar", "-C", str(tmp_path), "-S", *form, "-cf", "-", "holes"]
    archive = subprocess.run(command, check=True, capture_output=True).stdout
    ((entry, stored),) = read(archive)
    assert (entry.name, entry.size) == (b"holes", 50 * 65536)
    whole = bytearray(entry.size)
    position = 0
    for offset, length in entry.segments or ():
        whole[offset : offset + length] = stored[position : position + length]
        position += length
    assert whole == (tmp_path / "holes").read_bytes()


VALID = TarMaker().add("d", type=DIRECTORY).add("d/f", b"x" * 700, pax={"comment": "c"}).done()


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3500), st.integers(0, 255)), max_size=6), st.integers(1, 3000)
)
def test_any_damage_is_members_or_a_refusal(damage: list[tuple[int, int]], size: int) -> None:
    archive = bytearray(VALID)
    for place, value in damage:
        archive[place] = value
    try:
        read(bytes(archive), size)
    except TarError:
        return


@pytest.mark.parametrize("size", [1 << 20, 700, 3])
def test_offset_is_where_the_data_lies(size: int) -> None:
    tar = TarMaker().add("a", b"first").add("n" * 200, b"x" * 3000).add("b", b"last").done()
    stream = TarStream(Chunks(tar, size))
    for entry in stream:
        content = {b"a": b"first", b"b": b"last"}.get(entry.name, b"x" * 3000)
        assert tar[stream.offset : stream.offset + entry.size] == content
    stream.drain()
    assert stream.offset == len(tar)
