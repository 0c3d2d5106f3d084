"""What the disk says reaches the operator with the file's name."""

import errno
from pathlib import Path

import pytest

from image.errors import ImageError, Internal, ResourceExhausted
from image.store.disk_trouble import disk_told


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
