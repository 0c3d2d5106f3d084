"""RunPodSandbox: a pod's namespaces, network and files, visible only when all of it is there.

    checks -> journal -> namespaces -> { network | pause process } -> files -> READY

A request that equals a running one joins it; one that equals a READY pod gets its id; anything else that has the same
metadata is refused with the id, the state and what differs. A failure or cancellation undoes everything in reverse.
"""

import asyncio
import logging
from dataclasses import dataclass, replace
from pathlib import Path

from runtime.errors import AlreadyExists, InvalidArgument, Unimplemented
from runtime.host.host import PodNamespaces
from runtime.lifecycle.event_stream import EventKind
from runtime.lifecycle.journal_rows import settle_failed
from runtime.lifecycle.node import Node
from runtime.lifecycle.operations import Operation, Ticket
from runtime.lifecycle.sandbox_files import destroy_files, make_files
from runtime.lifecycle.sandbox_network import attach_network, detach_network, owns_network
from runtime.lifecycle.sandbox_pause import end_pause, shares_process_ids, start_pause, watch_pause
from runtime.lifecycle.undo_steps import UndoSteps
from runtime.records.differences import differing_fields
from runtime.records.identifiers import sandbox_key
from runtime.records.sandbox import SandboxConfig, SandboxRecord, SandboxState
from runtime.records.security import NamespaceMode
from runtime.spec.cgroups_path import check_cgroup_parent
from runtime.spec.hostname_and_dns import hostname_for
from runtime.spec.sysctls import pod_sysctls
from runtime.spec.validate import validate_sandbox
from runtime.store.bundle_directories import make_private
from runtime.store.changes import drop_intent, put_intent, put_sandbox
from runtime.store.journal import Intent, IntentKind

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class SandboxRequest:
    """What must be equal for two requests to be the same."""

    config: SandboxConfig
    handler: str


async def run_sandbox(node: Node, config: SandboxConfig, runtime_handler: str) -> str:
    """Make a pod and return its id once it is READY.

    Raises:
        InvalidArgument: the request or the handler's name is wrong.
        Unimplemented: it asks for a user namespace.
        AlreadyExists: a pod with this metadata exists or is being made, and is not what was asked for.
        Unavailable: the network, a program or the kernel is not ready.
        DeadlineExceeded: a stage took too long; everything was undone.
    """
    metadata = config.metadata
    subject = f"run {metadata.namespace}/{metadata.name}"
    handler = node.handler_for(runtime_handler, subject)
    _check(node, config, handler, subject)
    request = SandboxRequest(config=config, handler=handler)
    key = sandbox_key(metadata)
    existing = node.sandbox_by_key(key)
    if existing is not None:
        return _same_or_refused(existing, request, subject)
    ticket = Ticket(kind="run", key=key, subject=subject, request=request)

    async def work(operation: Operation) -> str:
        """Run it; returns the id."""
        return await _Run(node, operation, _draft(node, request, runtime_handler)).run()

    return await node.operations.run(ticket, work)


def _check(node: Node, config: SandboxConfig, handler: str, subject: str) -> None:
    validate_sandbox(config, node.runtime_features(handler))
    check_cgroup_parent(config.linux.cgroup_parent, systemd=node.settings.systemd_cgroups)
    pod_sysctls(config)
    userns = config.linux.security.namespaces.userns
    if userns is None or userns.mode is NamespaceMode.NODE:
        return
    if userns.mode is not NamespaceMode.POD:
        raise InvalidArgument(
            subject,
            f"a pod cannot have user namespace mode {userns.mode}",
            remedy="use pod or node",
            reason="BadUserNamespace",
        )
    raise Unimplemented(
        subject,
        "user namespaces are not supported yet",
        remedy="set hostUsers: true",
        reason="UserNamespacesUnsupported",
    )


def _same_or_refused(existing: SandboxRecord, request: SandboxRequest, subject: str) -> str:
    present = SandboxRequest(config=existing.config, handler=existing.handler)
    if existing.state is SandboxState.READY and present == request:
        return existing.id
    different = ", ".join(differing_fields(present, request))
    raise AlreadyExists(
        subject,
        f"pod {existing.id[:12]} has this name and attempt and is {existing.state}"
        + (f", and differs in {different}" if different else ""),
        remedy="remove it, or use another attempt number",
        reason="NameInUse",
    )


def _draft(node: Node, request: SandboxRequest, runtime_handler: str) -> SandboxRecord:
    sandbox_id = node.fresh_id()
    draft = SandboxRecord(
        id=sandbox_id,
        config=request.config,
        runtime_handler=runtime_handler,
        handler=request.handler,
        state=SandboxState.NOTREADY,
        created_at_ns=node.clock(),
        hostname=hostname_for(request.config, sandbox_id, node.settings.host_name),
    )
    if not owns_network(draft):
        return draft
    return replace(
        draft, network_attached=True, network_config=node.network.current_configuration()
    )


class _Run:
    """One run; `record` grows from draft to what is published."""

    def __init__(self, node: Node, operation: Operation, draft: SandboxRecord) -> None:
        self.node = node
        self.operation = operation
        self.record = draft
        self.intent = Intent(
            kind=IntentKind.RUN,
            object_id=draft.id,
            started_at_ns=node.clock(),
            sandbox=draft,
        )

    async def run(self) -> str:
        async with UndoSteps(
            self.operation.subject,
            lambda failed: settle_failed(self.node, self.intent, failed),
            step_seconds=self.node.settings.undo_step_seconds,
        ) as undo:
            await self._write_journal()
            await self._make_namespaces(undo)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._attach(undo), name=f"network of {self.record.id[:12]}")
                group.create_task(self._start_pause(undo), name=f"pause of {self.record.id[:12]}")
            await self._make_files(undo)
            await self._publish()
        return self.record.id

    async def _write_journal(self) -> None:
        async with self.operation.stage("journal", self.node.settings.journal_seconds):
            await self.node.db.commit(put_intent(self.intent))

    async def _make_namespaces(self, undo: UndoSteps) -> None:
        directory = self.node.paths.namespaces(self.record.id)
        options = self.record.config.linux.security.namespaces
        network = owns_network(self.record)
        undo.add("namespaces", lambda: self.node.host.destroy_namespaces(directory))
        async with self.operation.stage("namespaces", self.node.settings.namespaces_seconds):
            make_private(directory)
            await self.node.host.create_namespaces(
                PodNamespaces(
                    directory=directory,
                    network=network,
                    ipc=options.ipc is not NamespaceMode.NODE,
                    uts=network,  # as in containerd and CRI-O: a pod on the host's network has its name too
                    hostname=self.record.hostname if network else "",
                    sysctls=pod_sysctls(self.record.config),
                )
            )

    async def _attach(self, undo: UndoSteps) -> None:
        if not self.record.network_attached:
            return
        draft = self.record
        undo.add("network", lambda: detach_network(self.node, draft))
        async with self.operation.stage("network", self.node.settings.network_seconds):
            attached = await attach_network(self.node, draft)
        self.record = replace(
            self.record, addresses=attached.addresses, network_result=attached.network_result
        )

    async def _start_pause(self, undo: UndoSteps) -> None:
        if not shares_process_ids(self.record):
            return
        undo.add("pause process", lambda: end_pause(self.node, self.record))
        async with self.operation.stage("pause process", self.node.settings.namespaces_seconds):
            paused = await start_pause(self.node, self.record)
        self.record = replace(
            self.record, pause_pid=paused.pause_pid, pause_start_time=paused.pause_start_time
        )

    async def _make_files(self, undo: UndoSteps) -> None:
        undo.add("pod directory", lambda: self.node.host.remove_tree(self._directory))
        undo.add("pod files", lambda: destroy_files(self.node, self.record))
        async with self.operation.stage("pod files", self.node.settings.namespaces_seconds):
            await make_files(self.node, self.record)

    async def _publish(self) -> None:
        self.operation.seal()
        self.record = replace(self.record, state=SandboxState.READY)
        async with self.operation.stage("publish", self.node.settings.journal_seconds):
            await self.node.db.commit(
                put_sandbox(self.record), drop_intent(IntentKind.RUN, self.record.id)
            )
        self.node.show_sandbox(self.record)
        self.node.tell(EventKind.CREATED, self.record.id, self.record)
        self.node.tell(EventKind.STARTED, self.record.id, self.record)
        watch_pause(self.node, self.record)
        log.info("%s: %s", self.operation.subject, self.operation.timeline())

    @property
    def _directory(self) -> Path:
        return self.node.paths.pod(self.record.id)
