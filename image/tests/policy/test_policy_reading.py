"""The policy file is read, or told to be unusable; no path is no policy."""

from pathlib import Path

import pytest

from image.errors import InvalidArgument
from image.policy.policy_file import ACCEPT_ALL
from image.policy.policy_reading import read_policy


async def test_no_path_is_no_policy() -> None:
    assert await read_policy("") is ACCEPT_ALL


async def test_unusable_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    with pytest.raises(InvalidArgument, match="cannot be read: No such file"):
        await read_policy(str(path))
    path.write_bytes(b"\xff")
    with pytest.raises(InvalidArgument, match="is not UTF-8"):
        await read_policy(str(path))
    path.write_bytes(b" " * (1024 * 1024 + 1))
    with pytest.raises(InvalidArgument, match="is larger than"):
        await read_policy(str(path))
