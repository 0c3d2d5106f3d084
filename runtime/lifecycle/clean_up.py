"""Clean-ups that failed, or that a killed daemon left: tried again until they succeed.

Each is a row of the journal with a draft of the record; taking it apart is idempotent. Nothing here raises for a clean-up
that fails once more: it is logged, written into its row, and waits for the next time.
"""

import asyncio
import logging

from runtime.errors import Internal, PodRuntimeError
from runtime.lifecycle.dismantle import dismantle_container, dismantle_sandbox
from runtime.lifecycle.failures import retold
from runtime.lifecycle.journal_rows import settle_failed
from runtime.lifecycle.node import Node
from runtime.store.journal import Intent

_PARALLEL = 8

log = logging.getLogger(__name__)


async def retry_clean_ups(node: Node, *, sandbox_id: str = "") -> None:
    """Try every pending clean-up once, or those of one pod alone."""
    wanted = [one for one in node.pending.values() if not sandbox_id or _pod_of(one) == sandbox_id]
    # What lives in a pod goes before the pod.
    wanted.sort(key=lambda one: one.container is None)
    for start in range(0, len(wanted), _PARALLEL):
        async with asyncio.TaskGroup() as group:
            for one in wanted[start : start + _PARALLEL]:
                group.create_task(_retry(node, one), name=f"clean up {one.key}")


async def _retry(node: Node, intent: Intent) -> None:
    subject = f"clean up {intent.key}"
    try:
        async with (
            node.locks.hold(intent.key, subject),
            asyncio.timeout(5 * node.settings.undo_step_seconds),  # all its steps
        ):
            if intent.key in node.pending:
                await _take_apart(node, intent)
                await settle_failed(node, intent, ())
                log.info("%s: done", subject)
    except Exception as error:  # noqa: BLE001 - whatever fails here is tried again, and must not stop the others
        await _keep(node, intent, retold(error, subject))


async def _take_apart(node: Node, intent: Intent) -> None:
    if intent.container is not None:
        await dismantle_container(node, intent.container)
    elif intent.sandbox is not None:
        await dismantle_sandbox(node, intent.sandbox)
    else:
        raise Internal(f"journal row {intent.key}", "holds no record", reason="BadRecord")


async def _keep(node: Node, intent: Intent, error: PodRuntimeError) -> None:
    log.error("%s; it will be tried again", error)
    try:
        await settle_failed(node, intent, (str(error),))
    except PodRuntimeError as also:
        log.error("%s", also)


def _pod_of(intent: Intent) -> str:
    return intent.container.sandbox_id if intent.container is not None else intent.object_id
