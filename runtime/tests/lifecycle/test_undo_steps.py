"""Undo: reverse order, all of it, and every failure kept."""

import asyncio

import pytest

from runtime.errors import Unavailable
from runtime.lifecycle.undo_steps import UndoAction, UndoSteps


class Recorder:
    """Writes down what was undone, and how it was settled."""

    def __init__(self) -> None:
        self.undone: list[str] = []
        self.settled: list[tuple[str, ...]] = []

    def step(self, name: str, error: Exception | None = None) -> UndoAction:
        async def undo() -> None:
            self.undone.append(name)
            if error is not None:
                raise error

        return undo

    async def settle(self, failed: tuple[str, ...]) -> None:
        self.settled.append(failed)


async def fail_in(
    undo: UndoSteps, *steps: tuple[str, UndoAction], error: BaseException | None = None
) -> None:
    async with undo:
        for name, action in steps:
            undo.add(name, action)
        raise error or Unavailable("disk", "is gone")


async def test_success_undoes_nothing() -> None:
    recorder = Recorder()
    async with UndoSteps("run p", recorder.settle) as undo:
        undo.add("one", recorder.step("one"))
        assert undo.names == ("one",)
    assert (recorder.undone, recorder.settled) == ([], [])


async def test_failure_undoes_in_reverse_order_and_settles_last() -> None:
    recorder = Recorder()
    with pytest.raises(Unavailable, match="run p: disk: is gone"):
        await fail_in(
            UndoSteps("run p", recorder.settle),
            ("one", recorder.step("one")),
            ("two", recorder.step("two")),
        )
    assert (recorder.undone, recorder.settled) == (["two", "one"], [()])


@pytest.mark.parametrize(
    ("error", "told"),
    [(Unavailable("cni DEL", "no answer"), "cni DEL: no answer"), (KeyError("x"), "KeyError")],
)
async def test_a_failed_step_stops_no_other_and_is_kept(error: Exception, told: str) -> None:
    recorder = Recorder()
    with pytest.raises(Unavailable, match=f"clean-up failed.*{told}"):
        await fail_in(
            UndoSteps("run p", recorder.settle),
            ("one", recorder.step("one")),
            ("two", recorder.step("two", error)),
        )
    assert recorder.undone == ["two", "one"]
    assert told in recorder.settled[0][0]


async def test_a_step_that_hangs_is_given_up_and_kept() -> None:
    recorder = Recorder()

    async def hang() -> None:
        await asyncio.Event().wait()

    with pytest.raises(Unavailable, match="undo two: took over"):
        await fail_in(
            UndoSteps("run p", recorder.settle, step_seconds=0.01),
            ("one", recorder.step("one")),
            ("two", hang),
        )
    assert recorder.undone == ["one"]


async def test_cancelling_undoes_and_stays_cancelling(caplog: pytest.LogCaptureFixture) -> None:
    recorder = Recorder()
    with pytest.raises(asyncio.CancelledError):
        await fail_in(
            UndoSteps("run p", recorder.settle),
            ("one", recorder.step("one", Unavailable("cni DEL", "no answer"))),
            error=asyncio.CancelledError(),
        )
    assert recorder.undone == ["one"]
    assert len(recorder.settled[0]) == 1
    assert "no answer" in caplog.text


async def test_a_journal_that_fails_is_told_too() -> None:
    async def settle(failed: tuple[str, ...]) -> None:
        raise Unavailable("state database", f"is gone after {failed}")

    with pytest.raises(Unavailable, match=r"disk: is gone.*state database"):
        await fail_in(UndoSteps("run p", settle))
