"""Calls are told with their outcome and time, failed ones too."""

import asyncio

import pytest

from runtime.drivers.program_times import ProgramTimes


def listened() -> tuple[ProgramTimes, list[tuple[str, str, str, float]]]:
    times, told = ProgramTimes(), list[tuple[str, str, str, float]]()
    times.listener = lambda *call: told.append(call)
    return times, told


def test_without_a_listener_nothing_happens() -> None:
    with ProgramTimes().timed("crun", "start"):
        pass


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(ValueError, "error"), (asyncio.CancelledError, "cancelled")],
    ids=["failed", "cancelled"],
)
def test_a_call_that_raises_is_told_and_raises(error: type[BaseException], outcome: str) -> None:
    times, told = listened()
    with pytest.raises(error), times.timed("bridge", "ADD"):
        raise error
    ((name, verb, word, seconds),) = told
    assert (name, verb, word) == ("bridge", "ADD", outcome)
    assert seconds >= 0


def test_a_call_that_ends_well_is_ok() -> None:
    times, told = listened()
    with times.timed("crun", "start"):
        assert not told
    assert told[0][:3] == ("crun", "start", "ok")


def test_a_program_that_failed_is_an_error_without_raising() -> None:
    times, told = listened()
    with times.timed("crun", "delete") as call:
        call.outcome = "error"
    assert told[0][:3] == ("crun", "delete", "error")
