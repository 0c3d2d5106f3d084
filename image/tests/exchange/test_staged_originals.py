"""Each original has a place of its own in the staging directory, whatever somebody calls its digest."""

from pathlib import Path

import pytest

from image.errors import ImageError
from image.exchange.staged_originals import blob_place


def test_each_blob_has_a_place_in_the_staging_directory() -> None:
    first, second = (blob_place(Path("/staging"), f"sha256:{digit * 64}") for digit in "ab")
    assert first != second
    assert first.parent == second.parent == Path("/staging")


def test_what_is_no_digest_has_no_place() -> None:
    with pytest.raises(ImageError):
        blob_place(Path("/staging"), "sha256:../../etc")
