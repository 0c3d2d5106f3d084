"""Tests of the merged view; its rules are shown in test_layer_tree.py too."""

import json
import os
from pathlib import Path

import pytest

from image.store.lower_view import LowerView


def _place(path: Path, opaque: tuple[str, ...] = ()) -> Path:
    (path / "root").mkdir(parents=True)
    (path / "layer.json").write_text(json.dumps({"opaque": opaque}))
    return path


def test_topmost_wins_and_opaque_hides(tmp_path: Path) -> None:
    low, high = _place(tmp_path / "low"), _place(tmp_path / "high", ("d",))
    for place, mode in ((low, 0o711), (high, 0o700)):
        (place / "root/d").mkdir()
        (place / "root/d").chmod(mode)
    (low / "root/d/hidden").write_bytes(b"")
    (low / "root/seen").write_bytes(b"")
    view = LowerView([high, low])
    found = view.directory_attributes(b"d")
    assert found is not None
    assert found.mode == 0o700
    assert view.exists(b"seen")
    assert view.directory_attributes(b"seen") is None
    assert not view.exists(b"d/hidden")
    assert not view.exists(b"never")
    view.close()


def test_descriptors_are_closed_when_a_layer_is_missing(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(FileNotFoundError):
        LowerView([_place(tmp_path / "one"), tmp_path / "absent"])
    assert len(os.listdir("/proc/self/fd")) == before
