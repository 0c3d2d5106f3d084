"""Which configuration is taken, and what is said when none is."""

import os
from pathlib import Path

import pytest

from runtime.drivers.cni_conf_dir import find_network, find_plugin

GOOD = '{"cniVersion": "1.0.0", "name": "%s", "type": "bridge"}'


@pytest.fixture
def plugins(tmp_path: Path) -> Path:
    directory = tmp_path / "bin"
    directory.mkdir()
    (directory / "bridge").touch(mode=0o755)
    return directory


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    directory = tmp_path / "net.d"
    directory.mkdir()
    return directory


def test_first_file_by_name_is_the_network(directory: Path, plugins: Path) -> None:
    (directory / "20-b.conf").write_text(GOOD % "second")
    (directory / "10-a.json").write_text(GOOD % "first")
    (directory / "00-readme.txt").write_text(GOOD % "other")
    found = find_network(directory, [plugins])
    assert found.network is not None
    assert found.network.name == "first"
    assert found.source == str(directory / "10-a.json")
    assert found.problem == ""


def test_unusable_file_is_passed_over_and_told(directory: Path, plugins: Path) -> None:
    (directory / "10-bad.conflist").write_text("{")
    (directory / "20-good.conf").write_text(GOOD % "good")
    found = find_network(directory, [plugins])
    assert found.network is not None
    assert found.network.name == "good"
    assert len(found.ignored) == 1
    assert "10-bad.conflist" in found.ignored[0]


def test_only_unusable_files_are_told_with_file_and_reason(directory: Path, plugins: Path) -> None:
    (directory / "10-bad.conflist").write_text("{}")
    found = find_network(directory, [plugins])
    assert found.network is None
    assert f"invalid configuration {directory}/10-bad.conflist: name is missing" in found.problem
    assert found.remedy == "correct the file"


def test_empty_directory_is_told_with_the_remedy(directory: Path, plugins: Path) -> None:
    found = find_network(directory, [plugins])
    assert found.problem == f"no network configuration in {directory}"
    assert "install the network add-on" in found.remedy


def test_missing_directory_is_told(tmp_path: Path) -> None:
    assert "no such file" in find_network(tmp_path / "none", []).problem


def test_missing_plugin_is_named(directory: Path, plugins: Path) -> None:
    (directory / "10-a.conf").write_text(GOOD % "net")
    (plugins / "bridge").chmod(0o644)
    found = find_network(directory, [plugins])
    assert found.network is None
    assert "plugin bridge of" in found.problem
    assert str(plugins) in found.problem
    assert "no directory" in find_network(directory, []).problem


def test_missing_address_plugin_is_named_too(directory: Path, plugins: Path) -> None:
    text = '{"cniVersion":"1.0.0","name":"n","type":"bridge","ipam":{"type":"host-local"}}'
    (directory / "10-a.conf").write_text(text)
    assert "plugin host-local" in find_network(directory, [plugins]).problem


def test_fifo_does_not_hold_the_reader(directory: Path, plugins: Path) -> None:
    os.mkfifo(directory / "10-fifo.conf")
    assert "not a regular file" in find_network(directory, [plugins]).problem


def test_dangling_link_is_told(directory: Path, plugins: Path) -> None:
    (directory / "10-link.conf").symlink_to("/nowhere/at/all")
    assert "No such file" in find_network(directory, [plugins]).problem


def test_plugin_is_found_in_the_first_directory_that_has_it(tmp_path: Path, plugins: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "bridge").mkdir()
    assert find_plugin("bridge", [tmp_path / "none", tmp_path / "other", plugins]) == (
        plugins / "bridge"
    )
    assert find_plugin("ptp", [plugins]) is None
