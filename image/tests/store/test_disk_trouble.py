"""What the disk says reaches the operator with the file's name."""

import errno
from pathlib import Path

import pytest

from image.errors import ImageError, Internal, ResourceExhausted
from image.store.disk_trouble import disk_told, is_disk_full


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (OSError(errno.ENOSPC, "No space"), ResourceExhausted, "/store: disk is full"),
        (OSError(errno.EDQUOT, "Quota"), ResourceExhausted, "/store: disk is full"),
        (OSError(errno.EIO, "I/O error", "/store/x"), Internal, "/store/x: image store: I/O error"),
        (OSError("strange"), Internal, "/store: image store: strange"),
    ],
    ids=["full", "quota", "broken", "without number"],
)
def test_errors_are_told_by_their_kind(error: OSError, kind: type[ImageError], said: str) -> None:
    with pytest.raises(kind, match=said), disk_told(Path("/store")):
        raise error


def test_only_a_full_disk_is_called_so() -> None:
    assert is_disk_full(ResourceExhausted("store", "disk is full", reason="DiskFull"))
    assert not is_disk_full(ResourceExhausted("r.test", "has enough of us"))
    assert not is_disk_full(None)
