"""The daemon's limit of open files."""

import resource

import pytest

from cri.open_files import raise_open_files
from runtime.spec.request import Rlimit


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Stand in for the process's own limit; the last entry is in force."""
    history = [(1024, 4096)]

    def put(which: int, limit: tuple[int, int]) -> None:
        assert which == resource.RLIMIT_NOFILE
        history.append(limit)

    monkeypatch.setattr(resource, "getrlimit", lambda _: history[-1])
    monkeypatch.setattr(resource, "setrlimit", put)
    return history


def test_daemon_takes_all_and_containers_keep_the_usual(limits: list[tuple[int, int]]) -> None:
    assert raise_open_files() == (Rlimit(type="RLIMIT_NOFILE", soft=1024, hard=4096),)
    assert limits[-1] == (4096, 4096)


def test_nothing_is_set_where_all_was_given_already(limits: list[tuple[int, int]]) -> None:
    limits.append((512, 512))
    assert raise_open_files() == ()
    assert limits[-1] == (512, 512)
