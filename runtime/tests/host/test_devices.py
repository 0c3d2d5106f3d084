"""Device nodes of the host, read and never opened."""

from pathlib import Path

import pytest

from runtime.errors import InvalidArgument, NotFound
from runtime.host.devices import find_devices, host_devices


def test_device_is_told_with_its_numbers() -> None:
    (node,) = find_devices("/dev/null")
    assert (node.path, node.kind, node.major, node.minor) == ("/dev/null", "c", 1, 3)


def test_devices_below_a_directory_are_found_without_links(tmp_path: Path) -> None:
    nodes = {node.path for node in find_devices("/dev")}
    assert "/dev/zero" in nodes
    assert "/dev/stdin" not in nodes


def test_file_is_no_device(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidArgument, match="not a device"):
        find_devices(str(tmp_path / "file"))


def test_nothing_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="does not exist"):
        find_devices(str(tmp_path / "none"))
    with pytest.raises(NotFound, match="no device below"):
        find_devices(str(tmp_path))


def test_devices_of_a_containers_own_are_left_out() -> None:
    paths = {node.path for node in host_devices()}
    assert "/dev/null" in paths
    assert not paths & {"/dev/console", "/dev/ptmx", "/dev/pts/ptmx"}


def test_too_many_devices_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.host.devices.DEVICES_LIMIT", 1)
    with pytest.raises(InvalidArgument, match="more than 1 devices"):
        host_devices()
