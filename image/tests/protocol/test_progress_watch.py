"""A dripping transfer is noticed."""

from image.protocol.progress_watch import ProgressWatch


def test_window_with_too_few_bytes_is_told() -> None:
    watch = ProgressWatch(window=10.0, minimum=100, started=0.0)
    assert watch.note(1, now=9.0)
    assert not watch.note(1, now=10.0)


def test_each_window_begins_anew() -> None:
    watch = ProgressWatch(window=10.0, minimum=100, started=0.0)
    assert watch.note(500, now=11.0)
    assert watch.note(1, now=20.0)
    assert not watch.note(1, now=21.0)


def test_time_of_the_reader_does_not_count() -> None:
    watch = ProgressWatch(window=10.0, minimum=100, started=0.0)
    watch.pause(50.0)
    assert watch.note(1, now=55.0)
