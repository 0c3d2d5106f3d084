"""The undo of an operation: an AsyncExitStack of named steps that run in reverse order when the operation fails.

A step is added before its effect, so it must succeed when there is nothing to undo. A step that fails stops no other;
the failures are kept for the journal and for the error that the caller gets. Cancelling undoes as failing does.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from types import TracebackType

from runtime.errors import DeadlineExceeded, Internal, PodRuntimeError
from runtime.lifecycle.failures import retold

UndoAction = Callable[[], Awaitable[None]]

log = logging.getLogger(__name__)


class UndoSteps:
    """Undoes on failure, keeps on success; used as `async with`.

    `settle` runs last, after all steps, and is told the failed steps: it drops the journal's row or keeps it.
    """

    def __init__(
        self,
        subject: str,
        settle: Callable[[tuple[str, ...]], Awaitable[None]],
        *,
        step_seconds: float = 60.0,
    ) -> None:
        self._subject = subject
        self._settle = settle
        self._step_seconds = step_seconds
        self._stack = AsyncExitStack()
        self._names: list[str] = []
        self._failures: list[Exception] = []

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the steps so far, in the order of their effects."""
        return tuple(self._names)

    def add(self, name: str, action: UndoAction) -> None:
        """Add a step, before the effect that it undoes."""
        self._names.append(name)
        self._stack.push_async_callback(self._undo, name, action)

    async def __aenter__(self) -> "UndoSteps":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self._stack.pop_all()
            return
        log.info("%s: failed, undoing %s", self._subject, ", ".join(reversed(self._names)))
        await self._stack.aclose()
        try:
            await self._settle(tuple(str(failed) for failed in self._failures))
        except PodRuntimeError as failed:
            self._failures.append(failed)
        if not isinstance(error, Exception):
            for one in self._failures:
                log.error("%s: clean-up failed, will be tried again: %s", self._subject, one)
            return
        raise retold(error, self._subject, self._failures)

    async def _undo(self, name: str, action: UndoAction) -> None:
        try:
            async with asyncio.timeout(self._step_seconds):
                await action()
        except PodRuntimeError as error:
            self._failures.append(error)
        except TimeoutError:
            self._failures.append(
                DeadlineExceeded(
                    f"undo {name}", f"took over {self._step_seconds:g} s", reason="StageTimeout"
                )
            )
        except Exception as error:
            log.exception("%s: undo step %s failed", self._subject, name)
            self._failures.append(
                Internal(f"undo {name}", f"a fault of ours ({type(error).__name__})")
            )
