"""Work in threads: results, failures, cancellation."""

import asyncio
import threading
from collections.abc import Callable

import pytest

from runtime.host.own_thread import finish_in_own_thread, finish_in_pool, run_in_own_thread


async def test_work_runs_in_a_thread_of_its_own_that_ends() -> None:
    thread = await run_in_own_thread(threading.current_thread, name="x")
    assert thread is not threading.current_thread()
    assert thread.daemon
    thread.join(30)
    assert not thread.is_alive()


async def test_failure_is_carried_over() -> None:
    def fail() -> None:
        raise ValueError("inside")

    with pytest.raises(ValueError, match="inside"):
        await run_in_own_thread(fail, name="x")
    with pytest.raises(ValueError, match="inside"):
        await finish_in_pool(fail)


async def test_cancelled_call_does_not_wait_for_its_thread() -> None:
    gate = threading.Event()
    task = asyncio.get_running_loop().create_task(run_in_own_thread(gate.wait, name="x"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    gate.set()


def in_own_thread(work: Callable[[], object]) -> asyncio.Task[object]:
    return asyncio.get_running_loop().create_task(finish_in_own_thread(work, name="x"))


def in_pool(work: Callable[[], object]) -> asyncio.Task[object]:
    return asyncio.get_running_loop().create_task(finish_in_pool(work))


@pytest.mark.parametrize("start", [in_own_thread, in_pool])
@pytest.mark.parametrize("fails", [False, True])
async def test_work_that_must_be_undone_is_finished_before_the_cancellation(
    start: Callable[[Callable[[], object]], asyncio.Task[object]], fails: bool
) -> None:
    gate, entered = threading.Event(), threading.Event()
    done = []

    def work() -> None:
        entered.set()
        gate.wait()
        done.append(True)
        if fails:
            raise ValueError("late")

    task = start(work)
    while not entered.is_set():
        await asyncio.sleep(0)
    for _ in range(2):
        task.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert not task.done()
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == [True]


def test_end_of_the_loop_is_survived() -> None:
    gate = threading.Event()

    async def main() -> None:
        task = asyncio.get_running_loop().create_task(run_in_own_thread(gate.wait, name="late"))
        await asyncio.sleep(0)
        task.cancel()

    loop = asyncio.new_event_loop()
    loop.run_until_complete(main())
    loop.close()
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "late"]
    gate.set()
    thread.join(30)
    assert not thread.is_alive()
