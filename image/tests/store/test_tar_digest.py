"""A tar is known by its digest, padded or not."""

from pathlib import Path

import pytest

from image.model.digest import sha256_digest
from image.store.tar_digest import is_tar_of, stored_length


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 1 << 20, (1 << 20) + 700])
@pytest.mark.parametrize("last", [b"x", b"\0"], ids=["ends in content", "ends in zeroes"])
def test_a_padded_tar_is_still_itself(tmp_path: Path, size: int, last: bytes) -> None:
    content = (b"y" * size)[:-1] + last * min(1, size)
    path = tmp_path / "tar"
    for padding in (0, -size % 512):
        path.write_bytes(content + bytes(padding))
        assert is_tar_of(path, sha256_digest(content))


@pytest.mark.parametrize("change", [0, 600, -1])
def test_one_changed_byte_makes_it_another(tmp_path: Path, change: int) -> None:
    content = bytearray(b"y" * 700)
    digest = sha256_digest(bytes(content))
    content[change] ^= 1
    (tmp_path / "tar").write_bytes(bytes(content).ljust(1024, b"\0"))
    assert not is_tar_of(tmp_path / "tar", digest)


def test_a_cut_tar_is_another(tmp_path: Path) -> None:
    (tmp_path / "tar").write_bytes(b"y" * 512)
    assert not is_tar_of(tmp_path / "tar", sha256_digest(b"y" * 700))


@pytest.mark.parametrize("size", [1, 700, 1024, (1 << 20) + 1])
def test_a_stored_tar_is_as_long_as_what_was_packed(tmp_path: Path, size: int) -> None:
    content = b"y" * size
    path = tmp_path / "tar"
    path.write_bytes(content + bytes(-size % 512))
    assert stored_length(path, sha256_digest(content)) == size


def test_a_tar_with_its_end_is_taken_whole(tmp_path: Path) -> None:
    path = tmp_path / "tar"
    path.write_bytes(b"y" * 512 + bytes(1024))
    assert stored_length(path, sha256_digest(b"other")) == 1536


def test_a_damaged_tar_is_given_whole(tmp_path: Path) -> None:
    path = tmp_path / "tar"
    path.write_bytes(b"y" * 512)
    assert stored_length(path, sha256_digest(b"other")) == 512
