"""Two daemons never share a directory or an address."""

import os
from pathlib import Path

import pytest

from cri.instance_locks import instance_locks
from runtime.errors import FailedPrecondition


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for name in ("root", "state", "root2", "state2"):
        (tmp_path / name).mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("root", "state", "socket", "option"),
    [
        ("root", "state2", "other", "--root"),
        ("root2", "state", "other", "--state"),
        ("root2", "state2", "socket", "--address"),
    ],
)
def test_a_second_daemon_is_told_who_is_first(
    place: Path, root: str, state: str, socket: str, option: str
) -> None:
    with instance_locks(place / "root", place / "state", place / "socket"):
        with (
            pytest.raises(FailedPrecondition) as refusal,
            instance_locks(place / root, place / state, place / socket),
        ):
            pass
        assert refusal.value.reason == "InstanceRunning"
        assert f"process {os.getpid()}" in str(refusal.value)
        assert option in refusal.value.remedy


def test_neighbours_do_not_meet(place: Path) -> None:
    with (
        instance_locks(place / "root", place / "state", place / "a"),
        instance_locks(place / "root2", place / "state2", place / "b"),
    ):
        pass


def test_locks_are_free_after_the_end_and_a_refusal_leaves_none(place: Path) -> None:
    with instance_locks(place / "root", place / "state", place / "a"):
        with (
            pytest.raises(FailedPrecondition),
            instance_locks(place / "root2", place / "state", place / "b"),
        ):
            pass
        with instance_locks(place / "root2", place / "state2", place / "b"):
            pass
    with instance_locks(place / "root", place / "state", place / "a"):
        pass


def test_a_lock_file_of_unknown_content_is_told_without_pid(place: Path) -> None:
    with instance_locks(place / "root", place / "state", place / "a"):
        (place / "root" / "daemon.lock").write_text("?")
        with (
            pytest.raises(FailedPrecondition, match="another process"),
            instance_locks(place / "root", place / "state2", place / "b"),
        ):
            pass
