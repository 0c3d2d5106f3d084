"""Tests of deleting behind the caller's back."""

import logging
import threading
from pathlib import Path

import pytest

from image.errors import Internal
from image.store.removal_queue import RemovalQueue

A, B = Path("/s/a"), Path("/s/b")


class Disk:
    """Deletes when it is let, and notes what."""

    def __init__(self) -> None:
        self.ready = threading.Event()
        self.gone: list[Path] = []

    def discard(self, path: Path) -> None:
        assert self.ready.wait(30)
        if path == Path("/s/bad"):
            raise PermissionError(1, "not permitted")
        self.gone.append(path)


def test_nobody_waits_for_a_slow_disk() -> None:
    disk = Disk()
    queue = RemovalQueue(disk.discard)
    queue.put((A, B))
    assert not queue.wait(0.001)
    assert disk.gone == []
    disk.ready.set()
    assert queue.wait(30)
    assert disk.gone == [A, B]


def test_failure_is_logged_and_the_rest_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    disk = Disk()
    disk.ready.set()
    queue = RemovalQueue(disk.discard)
    with caplog.at_level(logging.WARNING):
        queue.put((Path("/s/bad"), A))
        assert queue.wait(30)
    assert disk.gone == [A]
    assert "stays on the disk for now: /s/bad" in caplog.text


def test_queue_works_again_after_it_was_idle() -> None:
    disk = Disk()
    disk.ready.set()
    queue = RemovalQueue(disk.discard)
    queue.put(())
    assert queue.wait(0)
    for path in (A, B):
        queue.put((path,))
        assert queue.wait(30)
    assert disk.gone == [A, B]


@pytest.mark.parametrize(
    "error", [Internal("layer", "is odd"), ValueError("odd")], ids=["told", "unforeseen"]
)
def test_no_failure_ends_the_deleting(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    gone = []

    def discard(path: Path) -> None:
        if path == A:
            raise error
        gone.append(path)

    queue = RemovalQueue(discard)
    with caplog.at_level(logging.WARNING):
        queue.put((A, B))
        assert queue.wait(30)
    assert gone == [B]
    assert "stays on the disk for now: /s/a" in caplog.text
