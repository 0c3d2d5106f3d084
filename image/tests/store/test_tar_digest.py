"""A tar is known by its digest, padded or not."""

from pathlib import Path

import pytest

from image.model.digest import sha256_digest
from image.store.tar_digest import is_tar_of


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
