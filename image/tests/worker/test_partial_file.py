"""A partial file is used only when it can be what it should be, and never fails a download."""

import os
from pathlib import Path

import pytest

from image.model.descriptor import Descriptor
from image.model.digest import sha256_digest
from image.store.partial_blobs import partial_name
from image.worker import partial_file
from image.worker.partial_file import open_partial

BLOB = Descriptor(media_type="x", digest=sha256_digest(b"x"), size=10)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    place = tmp_path / "partial"
    place.mkdir()
    return place / partial_name(BLOB.digest)


def test_bytes_are_kept_for_the_next_attempt(path: Path) -> None:
    file = open_partial(path.parent, BLOB)
    assert file is not None
    assert file.append(b"abc")
    assert file.append(b"de")
    file.close()
    file.close()
    assert path.stat().st_mode & 0o777 == 0o600
    again = open_partial(path.parent, BLOB)
    assert again is not None
    assert (again.length, again.read(0, 100), again.read(5, 1)) == (5, b"abcde", b"")
    assert again.append(b"f")
    again.discard()
    assert again.read(0, 100) == b"abcdef"
    assert not path.exists()
    again.discard()
    again.close()


@pytest.mark.parametrize("kind", ["too long", "link", "second name", "fifo"])
def test_what_cannot_be_right_is_replaced(path: Path, kind: str) -> None:
    secret = path.parent.parent / "secret"
    secret.write_bytes(b"abc")
    match kind:
        case "too long":
            path.write_bytes(b"x" * 11)
        case "link":
            path.symlink_to(secret)
        case "second name":
            path.hardlink_to(secret)
        case _:
            os.mkfifo(path)
    file = open_partial(path.parent, BLOB)
    assert file is not None
    assert file.length == 0
    assert file.append(b"12")
    file.close()
    assert secret.read_bytes() == b"abc"
    assert path.read_bytes() == b"12"


def test_a_directory_in_the_way_is_left_to_the_daemon(path: Path) -> None:
    path.mkdir()
    assert open_partial(path.parent, BLOB) is None


def test_a_missing_directory_means_no_file(tmp_path: Path) -> None:
    assert open_partial(tmp_path / "absent", BLOB) is None


def test_no_file_is_begun_where_the_layer_might_not_fit_beside_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partial_file, "_free_bytes", lambda _: 39)
    assert open_partial(path.parent, BLOB) is None
    assert not path.exists()
    path.write_bytes(b"0123456789")  # whole: it takes no more
    file = open_partial(path.parent, BLOB)
    assert file is not None
    file.close()


def test_a_full_disk_gives_the_file_up(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = open_partial(path.parent, BLOB)
    assert file is not None
    assert file.append(b"ab")

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    assert not file.append(b"cd")
    assert file.read(0, 10) == b"ab"
    assert not path.exists()
    file.close()
