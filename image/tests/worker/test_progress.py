"""Tests of progress events."""

import pytest

from image.exchange.messages import PullEvent
from image.worker.progress import LayerProgress


async def test_events_are_thinned_out(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    told: list[PullEvent] = []
    progress = LayerProgress("abc", 50, told.append)
    for count in range(10):
        progress.downloaded(count)
        progress.extracted(count)
    now += 0.2
    progress.downloaded(40)
    progress.download_complete()
    assert [(e.status, e.current, e.total) for e in told] == [
        ("Downloading", 0, 50),
        ("Downloading", 40, 50),
        ("Verifying Checksum", 0, 50),
        ("Download complete", 0, 50),
    ]


async def test_last_byte_is_told_before_the_layer_is_verified() -> None:
    told: list[PullEvent] = []
    progress = LayerProgress("abc", 50, told.append)
    progress.downloaded(50)
    progress.downloaded(50)
    progress.download_complete()
    words = ["Downloading", "Verifying Checksum", "Download complete"]
    assert [event.status for event in told] == words
