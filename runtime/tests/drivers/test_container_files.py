"""Tests of the driver's files in a bundle."""

import os
import subprocess
from pathlib import Path

import pytest

from runtime.drivers import container_files
from runtime.drivers.container_files import (
    ContainerNotes,
    cgroup_of,
    misplaced_controllers,
    planned_cgroup,
    read_notes,
    remove_files,
    write_config,
    write_notes,
)


def test_notes_are_read_as_written(tmp_path: Path) -> None:
    notes = ContainerNotes(log_path="/l", cgroup="/pods/a")
    write_notes(tmp_path, notes)
    assert read_notes(tmp_path) == notes


@pytest.mark.parametrize("text", [None, "{", "[]"])
def test_missing_or_damaged_notes_are_empty(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "driver.json").write_text(text)
    assert read_notes(tmp_path) == ContainerNotes()


def test_only_the_drivers_files_are_removed(tmp_path: Path) -> None:
    write_config(tmp_path, {"a": 1})
    assert (tmp_path / "config.json").read_text() == '{"a": 1}'
    write_notes(tmp_path, ContainerNotes())
    (tmp_path / "exec-1.json").touch()
    (tmp_path / ".pid").touch()
    (tmp_path / "log").touch()
    (tmp_path / "pid").mkdir()  # not ours to remove, and no reason to stop
    (tmp_path / "exec-dir").mkdir()
    remove_files(tmp_path)
    remove_files(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["exec-dir", "log", "pid"]


def fake_cgroup_files(monkeypatch: pytest.MonkeyPatch, texts: dict[str, str | None]) -> None:
    class Files(type(Path())):  # type: ignore[misc]
        def read_text(self, *_: object) -> str:
            text = texts[str(self)]
            if text is None:
                raise FileNotFoundError
            return text

    monkeypatch.setattr(container_files, "Path", Files)


V1 = "5:name=systemd:/\n4:memory:/p/a\n3:cpu,cpuacct:/p/a\n2:pids:/p/a\n1:devices:/p/a\n0::/\n"


@pytest.mark.parametrize(
    ("text", "misplaced"),
    [
        (V1, ()),
        (V1.replace("pids:/p/a", "pids:/"), ("pids",)),
        (
            V1.replace("cpu,cpuacct:/p/a", "cpu,cpuacct:/p").replace("memory:/p/a", "memory:/p/b"),
            ("cpu", "memory"),
        ),
        ("0::/p/a\n", ()),
        ("0::/p\n", ("unified",)),
        ("1:name=systemd:/x\n0::/p/a\n", ()),
        (None, ("unified",)),
    ],
)
def test_each_limiting_controller_must_have_the_container_in_its_cgroup(
    monkeypatch: pytest.MonkeyPatch, text: str | None, misplaced: tuple[str, ...]
) -> None:
    fake_cgroup_files(monkeypatch, {"/proc/7/cgroup": text})
    assert misplaced_controllers(7, "/p/a") == misplaced


def test_own_cgroup_is_never_a_containers() -> None:
    assert cgroup_of(os.getpid()) == ""


@pytest.mark.parametrize(
    ("container", "own", "answer"),
    [
        ("4:memory:/pods/a\n0::/\n", "4:memory:/daemon\n", "/pods/a"),
        ("0::/pods/a\n", "0::/daemon\n", "/pods/a"),
        ("4:cpu,memory:/pods/a\n", "4:cpu,memory:/pods/a/sub\n", ""),
        ("4:memory:/\n", "4:memory:/daemon\n", ""),
        (None, "4:memory:/daemon\n", ""),
    ],
)
def test_cgroup_is_that_of_the_memory_controller(
    monkeypatch: pytest.MonkeyPatch, container: str | None, own: str, answer: str
) -> None:
    fake_cgroup_files(monkeypatch, {"/proc/7/cgroup": container, "/proc/self/cgroup": own})
    assert cgroup_of(7) == answer


def test_cgroup_of_a_process_that_is_gone() -> None:
    with subprocess.Popen(["true"]) as process:
        pass
    assert cgroup_of(process.pid) == ""


@pytest.mark.parametrize(
    ("config", "cgroup"),
    [
        ('{"linux": {"cgroupsPath": "/pods/p//ab"}}', "/pods/p/ab"),
        ('{"linux": {"cgroupsPath": "/pods/lading-ab.scope"}}', "/pods/lading-ab.scope"),
        ('{"linux": {"cgroupsPath": "/pods"}}', ""),
        ('{"linux": {"cgroupsPath": "/pods/../ab"}}', ""),
        ('{"linux": {"cgroupsPath": "kube.slice:lading:ab"}}', "/kube.slice/lading-ab.scope"),
        ('{"linux": {"cgroupsPath": "kube.slice:lading:x"}}', ""),
        ('{"linux": {"cgroupsPath": "a/../b.slice:lading:ab"}}', ""),
        ('{"linux": {}}', ""),
        ("{}", ""),
        ("[]", ""),
        ("{", ""),
        (None, ""),
    ],
)
def test_planned_cgroup_is_told_only_when_it_is_surely_the_containers(
    tmp_path: Path, config: str | None, cgroup: str
) -> None:
    if config is not None:
        (tmp_path / "config.json").write_text(config)
    assert planned_cgroup(tmp_path, "ab") == cgroup
