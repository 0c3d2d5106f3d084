"""Headers that others read."""

import io
import tarfile

import pytest

from image.store.tar_stream import TarStream
from image.store.tar_writer import END, file_header, padding, whole_member
from image.tests.store.tar_making import Chunks


def test_python_and_our_own_reader_agree() -> None:
    raw = whole_member("blobs/a", b"x" * 700) + whole_member("index.json", b"{}") + END
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        assert [(one.name, one.size, one.mode) for one in tar] == [
            ("blobs/a", 700, 0o644),
            ("index.json", 2, 0o644),
        ]
    assert [entry.name for entry in TarStream(Chunks(raw))] == [b"blobs/a", b"index.json"]


def test_large_sizes_use_base_256() -> None:
    size = 9 * 2**30
    with tarfile.open(fileobj=io.BytesIO(file_header("big", size) + bytes(1024))) as tar:
        member = tar.next()
        assert member is not None
        assert member.size == size
    assert padding(512) == b""
    with pytest.raises(ValueError, match="does not fit"):
        file_header("x" * 101, 1)
