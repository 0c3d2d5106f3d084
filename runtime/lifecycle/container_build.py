"""The making of one container, visible only when CREATED; a failure or cancellation undoes everything in reverse.

    journal -> { root filesystem, user, VOLUMEs | mounts | devices } -> log -> spec -> runtime create -> CREATED

The spec is composed from values alone; whatever is looked up in the image or on the host is looked up here, before.
"""

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from runtime.drivers.driver import ContainerHandle, CreateRequest
from runtime.errors import FailedPrecondition, InvalidArgument
from runtime.host.log_directory import OpenedLogDirectory, open_log_directory
from runtime.lifecycle.container_namespaces import namespace_paths, uses_pause
from runtime.lifecycle.container_rootfs import declared_volumes, mount_rootfs
from runtime.lifecycle.container_sources import (
    all_host_devices,
    localhost_seccomp,
    resolve_devices,
    resolve_mounts,
)
from runtime.lifecycle.dismantle import delete_from_runtime, remove_rootfs
from runtime.lifecycle.event_stream import EventKind
from runtime.lifecycle.exit_watch import watch_exit
from runtime.lifecycle.journal_rows import settle_failed
from runtime.lifecycle.live_container import LiveContainer
from runtime.lifecycle.node import MIB, Node
from runtime.lifecycle.operations import Operation
from runtime.lifecycle.sandbox_files import paths_of_files
from runtime.lifecycle.sandbox_pause import ensure_pause
from runtime.lifecycle.undo_steps import UndoSteps
from runtime.records.container import ContainerRecord, ContainerUser
from runtime.records.sandbox import SandboxRecord, SandboxState
from runtime.spec.cgroups_path import filesystem_cgroup
from runtime.spec.compose import container_spec, spec_notes
from runtime.spec.document import Spec
from runtime.spec.image_defaults import ImageDefaults
from runtime.spec.request import (
    NamespacePaths,
    ResolvedDevice,
    ResolvedMount,
    ResolvedUser,
    ResolvedVolume,
    SpecRequest,
)
from runtime.spec.user import resolve_user
from runtime.store.bundle_directories import make_private
from runtime.store.changes import drop_intent, put_container, put_intent
from runtime.store.journal import Intent, IntentKind

USER_FILE_LIMIT = 10 * MIB
"""Of /etc/passwd and /etc/group in the image (security rule J1)."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Found:
    """What was looked up so far."""

    user: ResolvedUser = field(default_factory=ResolvedUser)
    volumes: tuple[ResolvedVolume, ...] = ()
    mounts: tuple[ResolvedMount, ...] = ()
    devices: tuple[ResolvedDevice, ...] = ()
    host_devices: tuple[ResolvedDevice, ...] = ()
    seccomp: str | None = None


class ContainerBuild:
    """One create; `record` grows from draft to what is published."""

    def __init__(
        self,
        node: Node,
        operation: Operation,
        sandbox: SandboxRecord,
        draft: ContainerRecord,
        image: ImageDefaults,
    ) -> None:
        self.node = node
        self.operation = operation
        self.sandbox = sandbox
        self.record = draft
        self.image = image
        self.found = _Found()
        self.intent = Intent(
            kind=IntentKind.CREATE,
            object_id=draft.id,
            started_at_ns=node.clock(),
            container=draft,
        )

    async def run(self) -> str:
        """Do all steps and return the container's id.

        Raises:
            PodRuntimeError: a step failed; nothing is left, or the journal holds what is.
        """
        async with UndoSteps(
            self.operation.subject,
            lambda failed: settle_failed(self.node, self.intent, failed),
            step_seconds=self.node.settings.undo_step_seconds,
        ) as undo:
            await self._write_journal()
            undo.add("root filesystem", lambda: remove_rootfs(self.node, self.record))
            await self._look_up()
            handle = await self._create(undo)
            await self._publish(handle)
        return self.record.id

    async def _write_journal(self) -> None:
        async with self.operation.stage("journal", self.node.settings.journal_seconds):
            await self.node.db.commit(put_intent(self.intent))

    async def _look_up(self) -> None:
        make_private(self.node.paths.bundle(self.record.id))
        make_private(self.node.paths.layer(self.record.id))
        async with asyncio.TaskGroup() as group:
            group.create_task(self._prepare_rootfs(), name="root filesystem")
            group.create_task(self._resolve_mounts(), name="mounts")
            group.create_task(self._resolve_devices(), name="devices")
            group.create_task(self._ensure_pause(), name="pause process")

    async def _prepare_rootfs(self) -> None:
        async with self.operation.stage("root filesystem", self.node.settings.rootfs_seconds):
            await mount_rootfs(self.node, self.record)
            self.found.user = await self._resolve_user()
            if self.image.volumes:
                self.found.volumes = await asyncio.to_thread(
                    declared_volumes, self.node, self.record, self.image
                )

    async def _resolve_user(self) -> ResolvedUser:
        passwd = await self._text_in_image("etc/passwd")
        group = await self._text_in_image("etc/group")
        user = resolve_user(self.record.config.security, self.image.user, passwd, group)
        groups = tuple(user.groups)
        self.record = replace(
            self.record, user=ContainerUser(uid=user.uid, gid=user.gid, groups=groups)
        )
        return user

    async def _text_in_image(self, name: str) -> str:
        rootfs = self.node.paths.rootfs(self.record.id)
        content = await self.node.host.read_below(rootfs, name, USER_FILE_LIMIT)
        return "" if content is None else content.decode("utf-8", "replace")

    async def _ensure_pause(self) -> None:
        if not uses_pause(self.sandbox, self.record) or self.sandbox.pause_pid:
            return
        async with self.operation.stage("pause process", self.node.settings.namespaces_seconds):
            self.sandbox = await ensure_pause(self.node, self.sandbox.id, self.operation.subject)

    async def _resolve_mounts(self) -> None:
        if not self.record.config.mounts:
            return
        limit = self.node.settings.source_seconds + self.node.settings.rootfs_seconds
        async with self.operation.stage("mounts", limit):
            self.found.mounts = await resolve_mounts(self.node, self.record)

    async def _resolve_devices(self) -> None:
        async with self.operation.stage("devices", self.node.settings.source_seconds):
            self.found.devices = await resolve_devices(self.node, self.record)
            self.found.host_devices = await all_host_devices(self.node, self.record)
            self.found.seccomp = await localhost_seccomp(self.node, self.record)

    async def _create(self, undo: UndoSteps) -> ContainerHandle:
        with namespace_paths(self.node, self.sandbox, self.record) as namespaces:
            request = self._spec_request(namespaces)
            spec = container_spec(request)
            for note in spec_notes(request):
                log.info("container %s (%s): %s", self.record.id, request.subject, note)
            async with self._opened_log() as opened:
                undo.add("cgroup", self._remove_cgroup)
                undo.add("container", lambda: delete_from_runtime(self.node, self.record))
                async with self.operation.stage(
                    "runtime create", self.node.settings.create_seconds
                ):
                    handle = await self._driver_create(spec, opened)
        identity = handle.identity
        self.record = replace(
            self.record,
            pid=identity.pid,
            pid_start_time=identity.pid_start_time,
            monitor_pid=identity.monitor_pid,
            monitor_start_time=identity.monitor_start_time,
        )
        return handle

    async def _driver_create(
        self, spec: Spec, opened: OpenedLogDirectory | None
    ) -> ContainerHandle:
        config = self.record.config
        request = CreateRequest(
            id=self.record.id,
            name=config.metadata.name,
            bundle=self.node.paths.bundle(self.record.id),
            spec=spec,
            log_path=opened.path if opened else "",
            log_directory_fd=opened.descriptor if opened else None,
            terminal=config.tty,
            stdin=config.stdin,
            stdin_once=config.stdin_once,
        )
        return await self.node.drivers[self.record.handler].create(request)

    def _spec_request(self, namespaces: NamespacePaths) -> SpecRequest:
        record, found = self.record, self.found
        return SpecRequest(
            container_id=record.id,
            sandbox_id=self.sandbox.id,
            container=record.config,
            sandbox=self.sandbox.config,
            image=self.image,
            rootfs=str(self.node.paths.rootfs(record.id)),
            host=self.node.host_facts,
            user=found.user,
            hostname=self.sandbox.hostname,
            image_name=record.config.image,
            mounts=found.mounts,
            volumes=found.volumes,
            devices=found.devices,
            host_devices=found.host_devices,
            namespaces=namespaces,
            cgroups_path=record.cgroups_path,
            pod_files=paths_of_files(self.node, self.sandbox),
            features=self.node.runtime_features(record.handler),
            handler=self.node.settings_of(record.handler),
            localhost_seccomp=found.seccomp,
        )

    @asynccontextmanager
    async def _opened_log(self) -> AsyncIterator[OpenedLogDirectory | None]:
        """Hold the log's directory open; no log when either part of its path is empty, as in containerd."""
        directory, name = self.sandbox.config.log_directory, self.record.config.log_path
        if not directory or not name:
            yield None
            return
        async with self.operation.stage("log directory", self.node.settings.source_seconds):
            opened = await _open_log(directory, name)
        try:
            self.record = replace(self.record, log_path=opened.path)
            yield opened
        finally:
            os.close(opened.descriptor)

    async def _remove_cgroup(self) -> None:
        cgroup = filesystem_cgroup(self.record.cgroups_path)
        if cgroup:
            await self.node.host.remove_cgroup(cgroup)

    async def _publish(self, handle: ContainerHandle) -> None:
        record, node = self.record, self.node
        sandbox = node.sandboxes.get(record.sandbox_id)
        if sandbox is None or sandbox.state is not SandboxState.READY:
            raise FailedPrecondition(
                self.operation.subject, "the pod was stopped meanwhile", reason="PodStopped"
            )
        self.operation.seal()
        async with self.operation.stage("publish", node.settings.journal_seconds):
            await node.db.commit(put_container(record), drop_intent(IntentKind.CREATE, record.id))
        node.live[record.id] = LiveContainer(handle=handle)
        node.show_container(record)
        node.tell(EventKind.CREATED, record.id, sandbox)
        watch_exit(node, record)
        log.info("%s: %s", self.operation.subject, self.operation.timeline())


async def _open_log(directory: str, name: str) -> OpenedLogDirectory:
    loop = asyncio.get_running_loop()
    opening = loop.run_in_executor(None, open_log_directory, directory, name)
    try:
        return await asyncio.shield(opening)
    except OSError as error:
        raise InvalidArgument(
            f"log directory {directory[:200]}",
            f"cannot be opened: {(error.strerror or 'failed').lower()}",
            remedy="mend that directory on the node",
            reason="BadLogPath",
        ) from error
    except asyncio.CancelledError:
        opening.add_done_callback(_close_unwanted)
        raise


def _close_unwanted(opening: asyncio.Future[OpenedLogDirectory]) -> None:
    # The thread cannot be cancelled: what it still opens is closed when it comes.
    if not opening.cancelled() and opening.exception() is None:
        os.close(opening.result().descriptor)
