"""Run one blocking function in a thread of its own, which ends with it.

For what must not happen in the shared pool: changing namespaces (they belong to a thread, which must not be used again
afterwards) and touching paths that may never answer. The threads are daemon threads: one that hangs neither holds the
pool nor the exit of the program.
"""

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def run_in_own_thread(work: Callable[[], T], *, name: str) -> T:
    """Return what `work` returned. A cancelled call leaves the thread to itself; its result is dropped."""
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
        try:
            loop.call_soon_threadsafe(settle, result, failure)
        except RuntimeError:
            return  # the loop is closed: nobody waits any more

    threading.Thread(target=main, name=name, daemon=True).start()
    return await done
