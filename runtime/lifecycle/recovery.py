"""The first thing a daemon does: find out what still runs, what ended meanwhile, and what died half-way.

    read the database -> ask each runtime once, take up what lives -> publish -> serve; clean up behind

The database says what was, the drivers' handles what became of it; no runtime is asked per container. What half-made
operations left is cleaned up after the first request may come: new objects have new ids, so the two never meet. After a
reboot nothing runs: all is marked ended, networks are released, and what is there all the same is removed.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace

from runtime.drivers.driver import ContainerDriver
from runtime.errors import PodRuntimeError
from runtime.lifecycle.clean_up import retry_clean_ups
from runtime.lifecycle.container_recovery import take_up_container
from runtime.lifecycle.dismantle import delete_from_runtime
from runtime.lifecycle.handler_features import complete_features
from runtime.lifecycle.leftovers import Leftovers, find_leftovers, remove_leftovers
from runtime.lifecycle.live_container import LiveContainer
from runtime.lifecycle.node import Node
from runtime.lifecycle.periodic import finish_stops, start_periodic
from runtime.lifecycle.sandbox_pause import pause_alive, shares_process_ids, watch_pause
from runtime.lifecycle.sandbox_stop import stop_known_sandbox
from runtime.records.container import ContainerRecord, ContainerState
from runtime.records.sandbox import SandboxRecord, SandboxState
from runtime.store.changes import Change, put_boot_id, put_container, put_sandbox
from runtime.store.journal import IntentKind
from runtime.store.state_db import DamagedRow, StoredState

_ENUMERATE_SECONDS = 20.0
"""A runtime that does not list its containers in this time is left out; its leftovers stay until the next start."""
_REBOOT_CODE = 255

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class RecoveryReport:
    """What was found."""

    rebooted: bool
    sandboxes: int
    containers: int
    ended: tuple[str, ...]
    """Containers that ended while no daemon ran."""
    half_made: tuple[str, ...]
    """Journal keys of operations that died half-way."""
    leftovers: Leftovers
    damaged: tuple[DamagedRow, ...]
    clean_up: asyncio.Task[None]
    """Removes the half-made and the leftovers; requests may come while it runs."""


async def recover(node: Node) -> RecoveryReport:
    """Bring memory up to what is true, and start what runs in the background.

    Raises:
        Unavailable, ResourceExhausted: a directory or the database cannot be used.
    """
    node.paths.prepare()
    stored = await asyncio.to_thread(node.db.load)
    for row in stored.damaged:
        log.error("state database: %s %s cannot be read: %s", row.table, row.key, row.cause)
    rebooted = stored.boot_id not in ("", node.settings.boot_id)
    statuses = await _ask_runtimes(node)
    leftovers = find_leftovers(node, statuses, _known_ids(stored))
    if rebooted:
        await _after_reboot(node, stored)
        ended: tuple[str, ...] = ()
    else:
        ended = await _take_up(node, stored, statuses)
    node.pending.update(
        {one.key: one for one in stored.intents if one.kind is not IntentKind.START}
    )
    survivors = _survivors(stored, statuses) if rebooted else ()
    cleaning = _clean_up(node, leftovers, survivors)
    clean_up = node.supervisor.spawn(cleaning, name="clean up after the start")
    node.supervisor.spawn(complete_features(node), name="try features of handlers")
    start_periodic(node)
    report = RecoveryReport(
        rebooted=rebooted,
        sandboxes=len(stored.sandboxes),
        containers=len(stored.containers),
        ended=ended,
        half_made=tuple(node.pending),
        leftovers=leftovers,
        damaged=stored.damaged,
        clean_up=clean_up,
    )
    log.info(
        "found %d pods and %d containers, %d ended meanwhile, %d half-made, %d leftovers%s",
        report.sandboxes,
        report.containers,
        len(ended),
        len(report.half_made),
        len(leftovers.sandboxes) + len(leftovers.containers),
        ", after a reboot" if rebooted else "",
    )
    return report


# --- what was


def _known_ids(stored: StoredState) -> frozenset[str]:
    damaged = (row.key.rpartition("/")[2] for row in stored.damaged)
    return frozenset(
        (
            *(one.id for one in stored.sandboxes),
            *(one.id for one in stored.containers),
            *(one.object_id for one in stored.intents),
            *damaged,
        )
    )


async def _ask_runtimes(node: Node) -> Mapping[str, str]:
    """Return the status of every container that any runtime knows, by id."""
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(_enumerate(name, driver), name=f"list {name}")
            for name, driver in node.drivers.items()
            if node.features[name].usable
        ]
    return {id: status for task in tasks for id, status in task.result().items()}


async def _enumerate(name: str, driver: ContainerDriver) -> Mapping[str, str]:
    try:
        async with asyncio.timeout(_ENUMERATE_SECONDS):  # see above
            return {one.id: one.status for one in await driver.enumerate()}
    except (PodRuntimeError, TimeoutError) as error:
        log.error("handler %s does not list its containers: %s", name, error)
        return {}


# --- the same boot


async def _take_up(node: Node, stored: StoredState, statuses: Mapping[str, str]) -> tuple[str, ...]:
    for sandbox in stored.sandboxes:
        _take_up_sandbox(node, sandbox)
    before = {one.id: one.state for one in stored.containers}
    starting = {one.object_id for one in stored.intents if one.kind is IntentKind.START}
    for one in stored.containers:
        node.containers[one.id] = one  # keeps their order; nothing is served yet
    places = asyncio.Semaphore(node.settings.recovery_parallel)
    async with asyncio.TaskGroup() as group:
        for one in stored.containers:
            status = statuses.get(one.id, "") if one.id in starting else ""
            group.create_task(
                take_up_container(node, one, status, places), name=f"take up {one.id[:12]}"
            )
    if stored.boot_id != node.settings.boot_id:
        await node.db.commit(put_boot_id(node.settings.boot_id))
    return tuple(
        one.id
        for one in node.containers.values()
        if one.state is ContainerState.EXITED and before[one.id] is not ContainerState.EXITED
    )


def _take_up_sandbox(node: Node, record: SandboxRecord) -> None:
    lost = _lost_hold(node, record) if record.state is SandboxState.READY else ""
    if not lost:
        node.show_sandbox(record)
        if record.state is SandboxState.READY:
            watch_pause(node, record)
        return
    log.warning("pod %s is not ready any more: %s", record.id, lost)
    dead = replace(record, state=SandboxState.NOTREADY)
    node.show_sandbox(dead)
    node.db.submit(put_sandbox(dead))


def _lost_hold(node: Node, record: SandboxRecord) -> str:
    if (record.pause_pid or shares_process_ids(record)) and not pause_alive(node, record):
        return "its pause process ended"
    if not node.paths.namespaces(record.id).is_dir():
        return "its namespaces are gone"
    return ""


# --- another boot


async def _after_reboot(node: Node, stored: StoredState) -> None:
    changes: list[Change] = [put_boot_id(node.settings.boot_id)]
    for sandbox in stored.sandboxes:
        stopped = replace(
            sandbox,
            state=SandboxState.NOTREADY,
            stop_requested=True,
        )
        if not node.paths.namespaces(sandbox.id).is_dir():
            stopped = replace(stopped, pause_pid=0, pause_start_time=0, pause_requested=False)
        node.show_sandbox(stopped)
        changes.append(put_sandbox(stopped))
    for container in stored.containers:
        ended = _ended_by_reboot(node, container)
        live = LiveContainer()
        live.exited.set()
        node.live[ended.id] = live
        node.show_container(ended)
        changes.append(put_container(ended))
    await node.db.commit(*changes)


def _ended_by_reboot(node: Node, record: ContainerRecord) -> ContainerRecord:
    if record.state is ContainerState.EXITED:
        return record
    return replace(
        record,
        state=ContainerState.EXITED,
        exit_code=_REBOOT_CODE,
        finished_at_ns=node.clock(),
        reason="Error",
        message="the node was rebooted",
    )


def _survivors(stored: StoredState, statuses: Mapping[str, str]) -> tuple[ContainerRecord, ...]:
    """Return what a runtime still knows although the boot id changed.

    That is a machine that was restored, or a state directory that is not on tmpfs.
    """
    return tuple(one for one in stored.containers if one.id in statuses)


async def _end_survivors(node: Node, survivors: tuple[ContainerRecord, ...]) -> None:
    for one in survivors:
        try:
            async with asyncio.timeout(node.settings.undo_step_seconds):
                await delete_from_runtime(node, one)
        except (PodRuntimeError, TimeoutError) as error:
            log.error("container %s of an earlier boot is not removed yet: %s", one.id, error)
    for sandbox in list(node.sandboxes.values()) if survivors else ():
        try:
            await stop_known_sandbox(node, sandbox)
        except PodRuntimeError as error:
            log.warning("%s; it will be tried again", error)


async def _clean_up(
    node: Node, leftovers: Leftovers, survivors: tuple[ContainerRecord, ...]
) -> None:
    await _end_survivors(node, survivors)
    await retry_clean_ups(node)
    await finish_stops(node)
    await remove_leftovers(node, leftovers)
