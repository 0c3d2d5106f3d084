"""Run blocking work in threads: one of its own that ends with it, or the pool's; and wait for what cannot be stopped.

A thread of its own is for what must not happen in the shared pool: changing namespaces (they belong to a thread, which
must not be used again afterwards) and touching paths that may never answer. These are daemon threads: one that hangs
holds neither the pool nor the exit of the program.
"""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


async def run_in_own_thread(work: Callable[[], T], *, name: str) -> T:
    """Return what `work` returned. A cancelled call leaves the thread to itself; its result is dropped."""
    return await _start(work, name)


async def finish_in_own_thread(work: Callable[[], T], *, name: str) -> T:
    """Return what `work` returned. A cancelled call ends when the work has, so that it can be undone then."""
    return await _finished(_start(work, name))


async def finish_in_pool(work: Callable[[], T]) -> T:
    """Do the same in a thread of the shared pool: for our own files, which answer."""
    return await _finished(asyncio.get_running_loop().run_in_executor(None, work))


async def _finished(future: asyncio.Future[T]) -> T:
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        # A thread cannot be stopped. Were its mount made after the caller's undo, nobody would take it away.
        while not future.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([future])
        if not future.cancelled():
            future.exception()  # seen; the cancellation is what the caller must get
        raise


def _start(work: Callable[[], T], name: str) -> asyncio.Future[T]:
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if done.cancelled():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]  # T may be None itself

    def main() -> None:
        result: T | None = None
        failure: BaseException | None = None
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - carried over to the caller, whatever it is
            failure = error
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, result, failure)

    threading.Thread(target=main, name=name, daemon=True).start()
    return done
