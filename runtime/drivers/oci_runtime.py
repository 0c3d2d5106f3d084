"""The Linux driver: an OCI runtime (crun, runc, any with their command line) held by conmon.

create: config.json -> conmon (in the monitors' cgroup) -> RUNTIME create -> pids, start times, pidfds. A create that
fails, times out or is cancelled removes all it made before it returns. Bundles, exit files and the runtime's state are
on tmpfs, so nothing here survives a reboot and nothing here needs an fsync.
"""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from runtime.drivers.container_files import (
    ContainerNotes,
    cgroup_of,
    misplaced_controllers,
    planned_cgroup,
    read_notes,
    remove_files,
    write_config,
    write_notes,
)
from runtime.drivers.driver import (
    ContainerIdentity,
    CreateRequest,
    DriverFeatures,
    SystemSummary,
)
from runtime.drivers.driver_settings import DriverServices, OciRuntimeSettings
from runtime.drivers.exec_records import end_left_execs
from runtime.drivers.failure_causes import unknown_container
from runtime.drivers.feature_trial import FeatureTrial
from runtime.drivers.monitor import MonitorStart, StartedMonitor
from runtime.drivers.monitor_removal import end_monitors_of
from runtime.drivers.oci_command import OciCommand
from runtime.drivers.oci_container import OciContainer, OciContainerParts
from runtime.drivers.operation_log import logged_operation
from runtime.drivers.process_watch import ProcessWatch, open_process
from runtime.drivers.runtime_probe import probe_runtime
from runtime.drivers.tried_features import read_result, write_result
from runtime.errors import Internal
from runtime.host import cgroups

_log = logging.getLogger(__name__)


class OciRuntimeDriver:
    """A ContainerDriver for one handler."""

    def __init__(self, name: str, settings: OciRuntimeSettings, services: DriverServices) -> None:
        self.name = name
        self._settings = settings
        self._services = services
        self._command = OciCommand(services.programs, settings, times=services.times, handler=name)
        self._start_limit = asyncio.Semaphore(max(1, settings.max_parallel_starts))
        self._monitors = MonitorStart(services, settings, self._command)

    async def probe(self) -> DriverFeatures:
        """Find out what runtime and monitor can do here; see ContainerDriver."""
        return await probe_runtime(self._services.programs, self._settings, self._services.cgroups)

    async def try_features(self, memory: Path) -> DriverFeatures:
        """Try what the runtime does not tell; see ContainerDriver."""
        program = self._command.program(f"try features of {self.name}")
        found = read_result(memory, program)
        if found is None:
            trial = FeatureTrial(self._services, self._settings, self._command)
            found = await trial.run(memory.parent / f".trial-{self.name}")
            if found.recursive_read_only_mounts is not None:
                with suppress(OSError):
                    write_result(memory, program, found)
        return DriverFeatures(
            version="",
            recursive_read_only_mounts=found.recursive_read_only_mounts is True,
            user_namespaces=found.id_mapped_mounts is True,
            mount_options=True,
        )

    async def create(self, request: CreateRequest) -> OciContainer:
        """Create a container; see ContainerDriver."""
        async with (
            logged_operation("create", request.id, self._settings.slow_call_seconds),
            self._start_limit,
        ):
            write_config(request.bundle, request.spec)
            _log.debug("spec of %s: %s", request.id, request.spec)
            since = self._services.reaper.mark()
            try:
                with self._command.timed("create"):
                    started = await self._monitors.create(request)
                return self._handle(request, started, since)
            except BaseException:
                await self._undo(request.id, request.bundle)
                raise

    async def _undo(self, id: str, bundle: Path) -> None:
        """Clean up, also when this call is cancelled (again) meanwhile."""
        async with asyncio.TaskGroup() as group:
            undo = group.create_task(self.delete_leftover(id, bundle), name=f"undo {id[:12]}")
            cancelled: asyncio.CancelledError | None = None
            while not undo.done():
                try:
                    await asyncio.shield(undo)
                except asyncio.CancelledError as error:
                    cancelled = error
        if cancelled is not None:
            raise cancelled

    def _handle(
        self, request: CreateRequest, started: StartedMonitor, since: float
    ) -> OciContainer:
        subject = f"create container {request.id}"
        init, monitor = open_both(started, subject)
        cgroup = cgroup_of(init.pid)
        wanted = planned_cgroup(request.bundle, request.id)
        misplaced = misplaced_controllers(init.pid, wanted) if wanted else ()
        if misplaced:
            # Outside its pod's cgroup it would have no limit at all (security rule H4).
            init.close()
            monitor.close()
            raise Internal(
                subject,
                f"it is in cgroup {cgroup or '/'} instead of {wanted} (by {', '.join(misplaced)})",
                remedy=f"check that {self._command.name} has the cgroup driver of the kubelet",
                reason="CgroupMisplaced",
            )
        notes = ContainerNotes(log_path=request.log_path, cgroup=cgroup)
        write_notes(request.bundle, notes)
        identity = ContainerIdentity(
            pid=init.pid,
            pid_start_time=init.start_time,
            monitor_pid=monitor.pid,
            monitor_start_time=monitor.start_time,
        )
        made = self._make(request.id, request.bundle, identity, (init, monitor), notes, since)
        made.mark_made_here()
        return made

    def _make(
        self,
        id: str,
        bundle: Path,
        identity: ContainerIdentity,
        watches: tuple[ProcessWatch | None, ProcessWatch | None],
        notes: ContainerNotes,
        since: float,
    ) -> OciContainer:
        parts = OciContainerParts(
            id=id,
            bundle=bundle,
            identity=identity,
            init=watches[0],
            monitor=watches[1],
            notes=notes,
            since=since,
        )
        return OciContainer(parts, self._services, self._settings, self._command, self._start_limit)

    async def open(self, id: str, bundle: Path, identity: ContainerIdentity) -> OciContainer:
        """Take up a container after a restart; see ContainerDriver."""
        since = self._services.reaper.mark()
        init = open_process(identity.pid, identity.pid_start_time)
        monitor = open_process(identity.monitor_pid, identity.monitor_start_time)
        known = self._services.exit_files.read(id) is not None or self._command.knows(id)
        if init is None and monitor is None and not known:
            raise unknown_container(f"open container {id}")
        notes = read_notes(bundle)
        await end_left_execs(bundle, notes.cgroup)
        return self._make(id, bundle, identity, (init, monitor), notes, since)

    async def enumerate(self) -> Sequence[SystemSummary]:
        """List what the runtime knows; see ContainerDriver."""
        states = await self._command.states(subject=f"list containers of {self.name}")
        return [
            SystemSummary(id=s.id, status=s.status, pid=s.pid, bundle=Path(s.bundle))
            for s in states
        ]

    async def delete_leftover(self, id: str, bundle: Path) -> None:
        """Remove whatever is left of a container; see ContainerDriver."""
        async with logged_operation("delete leftover", id, self._settings.slow_call_seconds):
            cgroup = read_notes(bundle).cgroup or planned_cgroup(bundle, id)
            await end_monitors_of(id, bundle)
            if self._command.knows(id):
                await self._command.call("delete", "--force", id, subject=f"delete leftover {id}")
            if cgroup:
                await asyncio.to_thread(self._remove_cgroup, cgroup)
            self._services.exit_files.remove(id)
            remove_files(bundle)

    def _remove_cgroup(self, cgroup: str) -> None:
        for _ in range(10):
            if not cgroups.kill_all(self._services.cgroups, cgroup):
                break
        with suppress(OSError):
            cgroups.remove(self._services.cgroups, cgroup)


def open_both(started: StartedMonitor, subject: str) -> tuple[ProcessWatch, ProcessWatch]:
    """Take hold of a new container's first process and monitor.

    Raises:
        Internal: one of them has ended already.
    """
    init, monitor = open_process(started.container_pid), open_process(started.monitor_pid)
    if init is not None and monitor is not None:
        return init, monitor
    for watch in (init, monitor):
        if watch is not None:
            watch.close()
    raise Internal(subject, "its first process or its monitor ended at once", reason="EndedAtOnce")


def monitor_is_alive(identity: ContainerIdentity) -> bool:
    """Whether a container's monitor still runs; recovery asks before it opens the container."""
    watch = open_process(identity.monitor_pid, identity.monitor_start_time)
    if watch is None:
        return False
    alive = not watch.has_ended()
    watch.close()
    return alive
