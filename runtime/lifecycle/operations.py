"""The operations that run now: who asked for what, which stage each is in, and since when.

An operation is a supervised task of its own. Callers wait for it through a shield, so one that goes away leaves it
running: it finishes or is undone, and a repeated request finds the truth. A request equal to a running one joins it;
one that differs is refused with what differs. Nothing is remembered after the end.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol, TypeVar, cast

from runtime.drivers.supervisor import Supervisor
from runtime.errors import AlreadyExists, DeadlineExceeded, PodRuntimeError, Unavailable
from runtime.lifecycle.failures import retold
from runtime.records.differences import differing_fields

T = TypeVar("T")

SLOW_SECONDS = 10.0
"""A stage that waits longer is told in the log while it still waits."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Ticket:
    """What an operation is, as far as others must know."""

    kind: str
    """`run`, `stop`, `create` and so on."""
    key: str
    """Two requests of one kind with the same key are the same operation."""
    subject: str
    """As errors name it: `run default/web`."""
    request: object = None
    """Dataclass compared when joining; None joins always."""
    object_id: str = ""
    sandbox_id: str = ""


@dataclass(slots=True)
class Stage:
    """One step of an operation's timeline, in seconds of the loop's clock."""

    name: str
    started: float
    ended: float | None = None
    limit_seconds: float = 0.0
    """How long it may take."""


class OperationObserver(Protocol):
    """Hears of operations that end and of requests that join; metrics implement it. Must not wait or raise."""

    def operation_ended(self, operation: "Operation") -> None:
        """Take note of an operation and its stages."""

    def operation_joined(self, operation: "Operation") -> None:
        """Take note of a request that joined a running one."""


class Operation:
    """One running operation and its timeline."""

    def __init__(self, ticket: Ticket) -> None:
        loop = asyncio.get_running_loop()
        self.ticket = ticket
        self.started = loop.time()
        self.stages: list[Stage] = []
        self.waiters = 0
        """Calls that wait for the outcome now."""
        self.task: asyncio.Task[None] | None = None
        self._result: asyncio.Future[object] = loop.create_future()
        self._result.add_done_callback(_mark_retrieved)
        self._abandoned: PodRuntimeError | None = None
        self._sealed = False

    @property
    def subject(self) -> str:
        """As errors name it."""
        return self.ticket.subject

    @property
    def abandoned(self) -> PodRuntimeError | None:
        """Why somebody wants it to stop and undo itself, None when nobody does."""
        return self._abandoned

    @property
    def age_seconds(self) -> float:
        """How long it has been running."""
        return asyncio.get_running_loop().time() - self.started

    @asynccontextmanager
    async def stage(self, name: str, limit_seconds: float) -> AsyncIterator[None]:
        """Do a named part of the operation within a time limit.

        Raises:
            DeadlineExceeded: the limit passed; the timeline is in the details.
        """
        loop = asyncio.get_running_loop()
        stage = Stage(name, loop.time(), limit_seconds=limit_seconds)
        self.stages.append(stage)
        slow = loop.call_later(SLOW_SECONDS, self._tell_slow, stage)
        try:
            async with asyncio.timeout(limit_seconds) as limit:
                yield
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise DeadlineExceeded(
                self.subject,
                f"{name} took longer than {limit_seconds:g} s",
                reason="StageTimeout",
                details=(self.timeline(),),
            ) from error
        finally:
            slow.cancel()
            stage.ended = loop.time()

    def seal(self) -> None:
        """From now on the operation ends by itself and cannot be abandoned."""
        self._sealed = True

    def abandon(self, error: PodRuntimeError) -> None:
        """Stop and undo it; its callers get `error`. Too late once it is sealed."""
        if not self._sealed and self.task is not None and not self._result.done():
            self._abandoned = error
            self.task.cancel()

    def timeline(self) -> str:
        """Return the stages with their times in milliseconds."""
        now = asyncio.get_running_loop().time()
        return ", ".join(
            f"{one.name} {((one.ended or now) - one.started) * 1000:.0f} ms"
            f"{'' if one.ended else ' so far'}"
            for one in self.stages
        )

    def describe(self) -> str:
        """Return what it is doing, for a caller whose patience ended."""
        current = [one.name for one in self.stages if one.ended is None]
        return f"{self.subject}: {' and '.join(current) or 'begins'} for {self.age_seconds:.1f} s"

    async def wait(self) -> object:
        """Wait for the outcome without owning it: cancelling the caller does not cancel the operation."""
        self.waiters += 1
        try:
            return await asyncio.shield(self._result)
        finally:
            self.waiters -= 1

    async def wait_ended(self, limit_seconds: float) -> bool:
        """Wait until it has ended, however; False at the limit."""
        done, _ = await asyncio.wait([self._result], timeout=limit_seconds)
        return bool(done)

    async def drive(self, work: Callable[["Operation"], Awaitable[object]]) -> None:
        """Do the work and tell the outcome."""
        try:
            result = await work(self)
        except Exception as error:  # noqa: BLE001 - every failure is told to whoever waits, none is lost
            self._fail(retold(error, self.subject))
        else:
            if not self._result.done():
                self._result.set_result(result)

    def ended(self, _task: asyncio.Task[None]) -> None:
        """Tell the callers when the task was cancelled."""
        self._fail(
            self._abandoned
            or Unavailable(self.subject, "the daemon is shutting down", reason="ShuttingDown")
        )

    def _fail(self, error: PodRuntimeError) -> None:
        if not self._result.done():
            self._result.set_exception(error)

    def _tell_slow(self, stage: Stage) -> None:
        log.warning("%s: %s waits for %g s already", self.subject, stage.name, SLOW_SECONDS)


class Operations:
    """All running operations."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self.observer: OperationObserver | None = None
        """Set by whoever counts."""
        self._running: dict[tuple[str, str], Operation] = {}

    def running(self) -> tuple[Operation, ...]:
        """Return what runs now, oldest first."""
        return tuple(self._running.values())

    def find(self, kind: str, key: str) -> Operation | None:
        """Return a running operation."""
        return self._running.get((kind, key))

    def busy(self, object_id: str) -> bool:
        """Tell whether an operation on this object is running."""
        return any(one.ticket.object_id == object_id for one in self._running.values())

    def explain(self, object_id: str) -> str:
        """Return what is being done with a pod or container now, one sentence each; empty for nothing."""
        concerned = (
            one.describe()
            for one in self._running.values()
            if object_id in (one.ticket.object_id, one.ticket.key, one.ticket.sandbox_id)
        )
        return "; ".join(concerned)

    async def run(self, ticket: Ticket, work: Callable[[Operation], Awaitable[T]]) -> T:
        """Join the running operation with this ticket or start it, and wait for its outcome.

        Raises:
            AlreadyExists: another request with the same key is running, and differs.
            PodRuntimeError: whatever the work raised, told with the ticket's subject.
        """
        operation = self._running.get((ticket.kind, ticket.key))
        if operation is None:
            operation = self._start(ticket, work)
        elif operation.ticket.request != ticket.request:
            raise _differs(operation, ticket)
        elif self.observer is not None:
            self.observer.operation_joined(operation)
        return cast(T, await operation.wait())

    def _start(self, ticket: Ticket, work: Callable[[Operation], Awaitable[T]]) -> Operation:
        operation = Operation(ticket)
        name = (ticket.kind, ticket.key)
        self._running[name] = operation
        operation.task = self._supervisor.spawn(operation.drive(work), name=ticket.subject)
        operation.task.add_done_callback(operation.ended)
        operation.task.add_done_callback(lambda _: self._forget(name, operation))
        return operation

    def _forget(self, name: tuple[str, str], operation: Operation) -> None:
        self._running.pop(name, None)
        if self.observer is not None:
            self.observer.operation_ended(operation)


def _differs(running: Operation, ticket: Ticket) -> AlreadyExists:
    fields = differing_fields(running.ticket.request, ticket.request)
    return AlreadyExists(
        ticket.subject,
        f"another request with this name runs since {running.age_seconds:.1f} s"
        f" and differs in {', '.join(fields)}",
        remedy="wait for it, or use another attempt number",
        reason="NameInUse",
        details=(running.describe(),),
    )


def _mark_retrieved(result: asyncio.Future[object]) -> None:
    # The last caller may have gone away: what failed is then told here and not lost.
    if not result.cancelled() and (error := result.exception()) is not None:
        log.info("%s", error)
