"""Exported tars become directories, and members of other names are refused."""

from pathlib import Path

import pytest

from cri.command.image.layout_directory import write_layout
from image.store.tar_headers import TarError
from image.store.tar_writer import END, whole_member


def test_members_become_files_and_the_index_comes_last(tmp_path: Path) -> None:
    members = [
        whole_member("index.json", b"{}"),
        whole_member("blobs/sha256/ab", b"x" * 700),
        END,
    ]
    assert write_layout(tmp_path / "layout", iter(members)) == sum(map(len, members))
    assert (tmp_path / "layout/index.json").read_bytes() == b"{}"
    assert (tmp_path / "layout/blobs/sha256/ab").read_bytes() == b"x" * 700
    with pytest.raises(TarError):
        write_layout(tmp_path / "half", iter([*members[:1], members[1][:600]]))
    assert not (tmp_path / "half/index.json").exists()


@pytest.mark.parametrize("name", ["../x", "/etc/x", "blobs/../../x", "other"])
def test_other_names_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(TarError, match="another form"):
        write_layout(tmp_path, iter([whole_member(name, b""), END]))
    assert list(tmp_path.iterdir()) == []
