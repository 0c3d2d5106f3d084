"""Directories of our own: private, repaired, never somebody else's."""

import errno
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from runtime.errors import ResourceExhausted, Unavailable
from runtime.store.bundle_directories import NodePaths, make_private, names_in

ID = "a" * 64


@pytest.fixture
def paths(tmp_path: Path) -> NodePaths:
    return NodePaths(root=tmp_path / "root", state=tmp_path / "state")


def test_everything_is_below_root_and_state(paths: NodePaths) -> None:
    assert paths.database == paths.root / "state.db"
    assert paths.pod(ID) == paths.state / "pods" / ID
    assert paths.namespaces(ID) == paths.state / "ns" / ID
    assert paths.bundle(ID) == paths.state / "containers" / ID
    assert paths.rootfs(ID) == paths.bundle(ID) / "rootfs"
    assert paths.layer(ID) == paths.root / "containers" / ID


def test_directories_are_made_private(paths: NodePaths) -> None:
    paths.prepare()
    for directory in (paths.root, paths.state, paths.pods, paths.pins, paths.exits, paths.layers):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_writable_layers_can_be_elsewhere_but_only_where_something_is(
    paths: NodePaths, tmp_path: Path
) -> None:
    elsewhere = replace(paths, containers_root=tmp_path / "disk")
    with pytest.raises(Unavailable, match="does not exist"):
        elsewhere.prepare()
    (tmp_path / "disk").mkdir(mode=0o755)
    elsewhere.prepare()
    assert elsewhere.layer(ID) == tmp_path / "disk" / "containers" / ID
    assert stat.S_IMODE(elsewhere.layers.stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "disk").stat().st_mode) == 0o755


def test_directories_that_others_can_enter_are_repaired(paths: NodePaths) -> None:
    paths.prepare()
    paths.root.chmod(0o755)
    paths.bundles.chmod(0o711)
    paths.runtime_state.chmod(0o755)
    paths.temporary.chmod(0o777)
    paths.prepare()
    for directory in (paths.root, paths.bundles, paths.runtime_state, paths.temporary):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_a_link_in_place_of_a_directory_is_refused(paths: NodePaths, tmp_path: Path) -> None:
    paths.prepare()
    paths.pods.rmdir()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    paths.pods.symlink_to(elsewhere)
    with pytest.raises(Unavailable, match="is a link"):
        paths.prepare()


def test_names_of_a_missing_directory_are_none(tmp_path: Path) -> None:
    assert names_in(tmp_path / "none") == frozenset()
    (tmp_path / "one").mkdir()
    assert names_in(tmp_path) == {"one"}


def test_what_is_no_directory_cannot_be_listed_or_made(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(Unavailable):
        names_in(file)
    with pytest.raises(Unavailable):
        make_private(file / "below")


def test_a_full_disk_is_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "mkdir", full)
    with pytest.raises(ResourceExhausted, match="No space left"):
        make_private(tmp_path / "new")
