"""The boot id is read or an error."""

from pathlib import Path

import pytest

from runtime.errors import Unavailable
from runtime.store.boot_id import read_boot_id


def test_the_running_boot_has_an_id() -> None:
    assert read_boot_id() == read_boot_id()


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff"])
def test_no_id_is_an_error(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "boot_id"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(Unavailable, match="mount /proc"):
        read_boot_id(file)
