"""The verbs `operations`, `operation` and `operation/cancel`: what runs now, pods' operations and pulls alike.

Cancelling means the same as when the daemon does it: the operation is undone and its callers are told who did it.
"""

import asyncio
import hashlib
from dataclasses import dataclass

from cri.admin.arguments import Arguments
from cri.admin.parts import AdminParts
from cri.admin.texts import seconds
from image.pulls.puller import RunningPull
from runtime.errors import FailedPrecondition, NotFound, Unavailable
from runtime.lifecycle.operations import Operation, Stage

STUCK_SECONDS = 30.0
"""A stage that waits longer than this and half of its time is called stuck."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StageFacts:
    """One stage of an operation."""

    name: str
    seconds: float
    budget_seconds: float
    """0 when it has none of its own."""
    done: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class OperationFacts:
    """One operation as it is now."""

    id: str
    kind: str
    subject: str
    stage: str
    stage_seconds: float
    age_seconds: float
    budget_seconds: float
    waiters: int
    stuck: bool
    stages: tuple[StageFacts, ...]


def all_operations(parts: AdminParts) -> tuple[OperationFacts, ...]:
    """Return everything that runs now, oldest first."""
    found = [_of_operation(one) for one in parts.node.operations.running()]
    found += [_of_pull(one) for one in parts.puller.pulls()]
    return tuple(sorted(found, key=lambda one: -one.age_seconds))


async def operations(parts: AdminParts, arguments: Arguments) -> dict[str, object]:
    """Answer `operations`."""
    stuck_only = arguments.flag("stuck")
    arguments.finish()
    found = [one for one in all_operations(parts) if one.stuck or not stuck_only]
    return {"schema": "lading.operations/v1", "operations": [_fields(one) for one in found]}


async def operation(parts: AdminParts, arguments: Arguments) -> dict[str, object]:
    """Answer `operation`: one of them with its stages.

    Raises:
        NotFound: none that runs has this id, or it has ended.
    """
    found = _find(parts, arguments.text("id"))
    arguments.finish()
    stages = [
        {
            "name": one.name,
            "seconds": seconds(one.seconds),
            "budget_seconds": one.budget_seconds,
            "done": one.done,
        }
        for one in found.stages
    ]
    return {"schema": "lading.operation/v1", **_fields(found), "stages": stages}


async def cancel_operation(parts: AdminParts, arguments: Arguments) -> dict[str, object]:
    """Answer `operation/cancel`.

    Raises:
        NotFound: none that runs has this id.
        FailedPrecondition: it is past the point at which it can be undone.
    """
    found = _find(parts, arguments.text("id"))
    arguments.finish()
    if not parts.puller.cancel(found.id):
        _abandon(parts, found)
    return {"schema": "lading.operation-cancel/v1", **_fields(found)}


def _abandon(parts: AdminParts, found: OperationFacts) -> None:
    for one in parts.node.operations.running():
        if operation_id(one) != found.id:
            continue
        one.abandon(
            Unavailable(one.subject, "was cancelled by an operator", reason="OperationCancelled")
        )
        if one.task is not None and one.task.cancelling():
            return
    raise FailedPrecondition(
        found.subject,
        "can no longer be undone, and ends by itself",
        remedy=f"wait for it: lading operations show {found.id}",
        reason="OperationSealed",
    )


def operation_id(operation: Operation) -> str:
    """Return eight hex digits that stay the same while the operation runs."""
    ticket = operation.ticket
    text = f"{ticket.kind}\0{ticket.key}\0{operation.started!r}"
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _find(parts: AdminParts, prefix: str) -> OperationFacts:
    matches = [one for one in all_operations(parts) if prefix and one.id.startswith(prefix)]
    if len(matches) == 1:
        return matches[0]
    raise NotFound(
        f"operation {prefix[:64]}",
        "means several" if matches else "does not run, or has ended",
        remedy="see 'lading operations'",
        reason="NoSuchOperation",
    )


def _of_operation(one: Operation) -> OperationFacts:
    now = asyncio.get_running_loop().time()
    stages = tuple(_stage(stage, now) for stage in one.stages)
    current = next((stage for stage in reversed(stages) if not stage.done), None)
    waited = current.seconds if current else 0.0
    budget = current.budget_seconds if current else 0.0
    return OperationFacts(
        id=operation_id(one),
        kind=one.ticket.kind,
        subject=one.subject.removeprefix(f"{one.ticket.kind} "),
        stage=current.name if current else "",
        stage_seconds=waited,
        age_seconds=one.age_seconds,
        budget_seconds=budget,
        waiters=one.waiters,
        stuck=waited > max(STUCK_SECONDS, budget / 2),
        stages=stages,
    )


def _stage(stage: Stage, now: float) -> StageFacts:
    return StageFacts(
        name=stage.name,
        seconds=(stage.ended or now) - stage.started,
        budget_seconds=stage.limit_seconds,
        done=stage.ended is not None,
    )


def _of_pull(one: RunningPull) -> OperationFacts:
    view = one.view
    moving = view.bytes_per_second > 0 or view.phase in ("unpacking", "committing")
    return OperationFacts(
        id=one.id,
        kind="pull",
        subject=one.reference,
        stage=view.phase,
        stage_seconds=one.age_seconds,
        age_seconds=one.age_seconds,
        budget_seconds=0.0,
        waiters=len(one.callers),
        stuck=not moving and one.age_seconds > STUCK_SECONDS,
        stages=(
            StageFacts(name=view.phase, seconds=one.age_seconds, budget_seconds=0.0, done=False),
        ),
    )


def _fields(one: OperationFacts) -> dict[str, object]:
    return {
        "id": one.id,
        "kind": one.kind,
        "object": one.subject,
        "stage": one.stage,
        "stage_seconds": seconds(one.stage_seconds),
        "age_seconds": seconds(one.age_seconds),
        "budget_seconds": one.budget_seconds,
        "waiters": one.waiters,
        "stuck": one.stuck,
    }
