"""Builds the parts of a node out of the settings, lowest first. The only place that knows every concrete class.

Building binds no socket and starts no container; the one who asks for it ends what was built by closing the stack.
"""

import asyncio
import hashlib
import logging
import os
import shutil
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import runtime.spec.request
from cri.config import HandlerSettings, Settings
from cri.open_files import raise_open_files
from cri.rootfs_provider import StoreRootfs
from cri.startup_checks import (
    Finding,
    check_containers_root,
    check_handlers,
    check_known_faults,
    check_pause,
    check_rights,
)
from cri.supervisor import TaskSupervisor
from cri.worker_cgroup import WorkerCgroup, worker_cgroup_name
from cri.worker_launcher import ProgramWorkerLauncher
from image.host.landlock import landlock_abi
from image.protocol.transport_limits import TransportLimits
from image.pulls.puller import Puller, PullSettings
from image.store.image_store import ImageStore
from image.store.partial_blobs import PartialLimits
from runtime.drivers.cni import CniNetwork
from runtime.drivers.driver import ContainerDriver, DriverFeatures
from runtime.drivers.driver_settings import DriverServices, OciRuntimeSettings
from runtime.drivers.exit_files import ExitFiles
from runtime.drivers.handler_choice import HandlerChoice, choose_default_handler
from runtime.drivers.monitor_cgroup import MonitorCgroup, mounted_hierarchies
from runtime.drivers.oci_runtime import OciRuntimeDriver
from runtime.drivers.program import ProgramRunner
from runtime.drivers.program_times import ProgramTimes
from runtime.drivers.reaper import Reaper
from runtime.host.linux_host import LinuxHost
from runtime.host.upper_probe import why_no_upper
from runtime.lifecycle.node import Node, NodeSettings
from runtime.store.boot_id import read_boot_id
from runtime.store.bundle_directories import NodePaths, names_in
from runtime.store.state_db import StateDatabase

log = logging.getLogger(__name__)

_DEFAULT_STATE = Settings().state
_PROBE_SECONDS = 20.0
"""For one mount on an idle disk; a hanging one must not keep the daemon from serving."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Assembly:
    """What was built."""

    node: Node
    store: ImageStore
    puller: Puller
    systemd_cgroups: bool
    findings: list[Finding]
    cni_times: ProgramTimes = field(default_factory=ProgramTimes)
    oci_times: ProgramTimes = field(default_factory=ProgramTimes)


async def build_node(
    settings: Settings, supervisor: TaskSupervisor, stack: AsyncExitStack
) -> Assembly:
    """Build everything below the gRPC services; `stack` takes what must be closed."""
    rlimits = raise_open_files()
    paths = node_paths(settings)
    reaper = Reaper()
    reaper.start(asyncio.get_running_loop())
    stack.callback(reaper.stop)
    programs = ProgramRunner(reaper)
    host = LinuxHost(programs)
    systemd = uses_systemd_cgroups(settings.runtime.cgroup_driver)
    services = _driver_services(settings, paths, reaper, programs, supervisor, host)
    cni_times = ProgramTimes()
    stack.callback(services.monitor_cgroup.stop)
    drivers = {
        name: OciRuntimeDriver(
            name, oci_settings(settings, name, one, systemd_cgroups=systemd), services
        )
        for name, one in settings.runtime.handlers.items()
    }
    async with asyncio.TaskGroup() as group:
        facts_task = group.create_task(host.facts(), name="host facts")
        probes = {n: group.create_task(d.probe(), name=f"probe {n}") for n, d in drivers.items()}
        store_task = group.create_task(_open_store(settings), name="open image store")
    features = {name: _as_built(task.result()) for name, task in probes.items()}
    facts, store = facts_task.result(), store_task.result()
    stack.callback(store.close)
    choice = choose_default_handler(features, configured=settings.runtime.default_handler)
    log.info("default handler: %s (%s)", choice.name or "none", choice.reason)
    database = StateDatabase(paths.database)
    stack.push_async_callback(database.close)
    pause = pause_program(settings)
    launcher = _worker_launcher(settings, programs, host, stack)
    node = Node(
        settings=_node_settings(settings, paths, pause, systemd_cgroups=systemd),
        host=host,
        drivers=_as_drivers(drivers),
        default_handler=choice.name,
        features=features,
        network=_network(settings, programs, cni_times),
        images=StoreRootfs(store),
        db=database,
        supervisor=supervisor,
        host_facts=facts,
        handler_settings=_spec_settings(settings, rlimits),
    )
    return Assembly(
        node=node,
        store=store,
        puller=Puller(store, pull_settings(settings), launcher, supervisor),
        systemd_cgroups=systemd,
        findings=_findings(facts, features, choice, pause) + await check_writable_layers(paths),
        cni_times=cni_times,
        oci_times=services.times,
    )


def _node_settings(
    settings: Settings, paths: NodePaths, pause: Path, *, systemd_cgroups: bool
) -> NodeSettings:
    return NodeSettings(
        root=paths.root,
        state=paths.state,
        containers_root=paths.containers_root,
        boot_id=read_boot_id(),
        pause_program=pause,
        systemd_cgroups=systemd_cgroups,
        create_seconds=float(settings.runtime.create_timeout_seconds),
        start_seconds=float(settings.runtime.start_timeout_seconds),
    )


def node_paths(settings: Settings) -> NodePaths:
    """Return where the files of this instance are."""
    elsewhere = settings.runtime.containers_root
    return NodePaths(
        root=Path(settings.root),
        state=Path(settings.state),
        containers_root=Path(elsewhere) if elsewhere else None,
    )


async def check_writable_layers(paths: NodePaths) -> list[Finding]:
    """Try the directory of writable layers if it is not the usual one, and look for layers left in that."""
    if paths.containers_root is None:
        return []
    try:
        async with asyncio.timeout(_PROBE_SECONDS):
            why_not = await asyncio.to_thread(why_no_upper, paths.layers)
    except TimeoutError:
        why_not = f"gave no answer in {_PROBE_SECONDS:g} seconds"
    usual = replace(paths, containers_root=None)
    left = await asyncio.to_thread(names_in, usual.layers)
    return check_containers_root(str(paths.containers_root), why_not, len(left))


def uses_systemd_cgroups(cgroup_driver: str) -> bool:
    """Tell whether cgroups are made by systemd: as configured, or when it is process 1 (sd_booted(3))."""
    if cgroup_driver == "auto":
        return Path("/run/systemd/system").is_dir()
    return cgroup_driver == "systemd"


def pause_program(settings: Settings) -> Path:
    """Return the path of the pause program."""
    return Path(settings.runtime.pause_path or f"{sys.prefix}/libexec/lading-pause")


def monitor_cgroup_name(state: str) -> str:
    """Return the cgroup of an instance's monitors; instances with a state directory of their own have their own."""
    if state == _DEFAULT_STATE:
        return "lading-monitors"
    return f"lading-monitors-{hashlib.sha256(state.encode()).hexdigest()[:12]}"


def oci_settings(
    settings: Settings, name: str, handler: HandlerSettings, *, systemd_cgroups: bool
) -> OciRuntimeSettings:
    """Return the driver's settings of one handler."""
    state = Path(settings.state)
    return OciRuntimeSettings(
        program=handler.path or shutil.which(name) or name,
        root=state / "oci" / name,
        arguments=handler.runtime_args,
        monitor_program=settings.runtime.monitor_path or shutil.which("conmon") or "conmon",
        systemd_cgroup=systemd_cgroups,
        temporary_directory=state / "tmp",
        create_timeout_seconds=float(settings.runtime.create_timeout_seconds),
        start_timeout_seconds=float(settings.runtime.start_timeout_seconds),
        max_parallel_starts=settings.runtime.max_parallel_starts,
    )


def pull_settings(settings: Settings) -> PullSettings:
    """Return the image package's view of section `[image]`."""
    wanted = settings.image
    return PullSettings(
        registry_config_path=wanted.registry_config_path,
        max_concurrent_downloads=wanted.max_concurrent_downloads,
        platform=wanted.platform,
        proxy=wanted.proxy or _from_environment("HTTPS_PROXY", "HTTP_PROXY"),
        no_proxy=wanted.no_proxy or _from_environment("NO_PROXY"),
        require_schema2=wanted.require_schema2,
        layer_store=wanted.layer_store,
        max_layer_bytes=wanted.max_layer_bytes,
        max_layer_entries=wanted.max_layer_entries,
        max_path_depth=wanted.max_path_depth,
        no_progress_seconds=float(wanted.no_progress_seconds),
        unpack_seconds=float(wanted.unpack_timeout_seconds),
        transport=TransportLimits(
            connect=float(wanted.connect_timeout_seconds),
            first_byte=float(wanted.first_byte_timeout_seconds),
            window=float(wanted.min_rate_window_seconds),
            min_rate=wanted.min_bytes_per_second,
        ),
        docker_config_path=wanted.docker_config_path,
        policy_path=wanted.policy_path,
        worker_uid=wanted.worker_uid,
        max_downloads=wanted.max_downloads,
        max_downloads_per_registry=wanted.max_downloads_per_registry,
        max_bytes_per_second=wanted.max_bytes_per_second,
        warm_worker_seconds=float(wanted.warm_worker_seconds),
    )


def _from_environment(*names: str) -> str:
    """Give the first variable that is set; each may be written in lower case, as Go programs have it."""
    spellings = [word for name in names for word in (name, name.lower())]
    return next((os.environ[word] for word in spellings if os.environ.get(word)), "")


async def _open_store(settings: Settings) -> ImageStore:
    root = Path(settings.root) / "images"
    root.mkdir(mode=0o700, exist_ok=True)
    wanted = settings.image
    store = await ImageStore.open(
        root,
        pinned=wanted.pinned_images,
        layer_store=wanted.layer_store,
        partial_limits=PartialLimits(
            max_bytes=wanted.max_partial_bytes,
            max_age_seconds=float(wanted.max_partial_age_seconds),
        ),
    )
    choice = store.layer_choice
    log.info("new layers: %s%s", choice.new_kind, f" ({choice.reason})" if choice.reason else "")
    if not choice.tells_damage:
        log.warning("this kernel shows zeroes where a layer cannot be read; Linux 6.12.85 does not")
    if not landlock_abi():
        log.warning("this kernel has no Landlock (5.19): only its rights hold a pull worker back")
    return store


def _driver_services(
    settings: Settings,
    paths: NodePaths,
    reaper: Reaper,
    programs: ProgramRunner,
    supervisor: TaskSupervisor,
    host: LinuxHost,
) -> DriverServices:
    for directory in (paths.state / "oci", paths.state / "tmp"):
        directory.mkdir(mode=0o700, exist_ok=True)
    exit_files = ExitFiles(paths.exits)
    exit_files.start()
    monitors = MonitorCgroup(monitor_cgroup_name(settings.state), mounted_hierarchies())
    monitors.start()
    return DriverServices(
        reaper=reaper,
        programs=programs,
        supervisor=supervisor,
        exit_files=exit_files,
        monitor_cgroup=monitors,
        cgroups=host.layout,
    )


def _worker_launcher(
    settings: Settings, programs: ProgramRunner, host: LinuxHost, stack: AsyncExitStack
) -> ProgramWorkerLauncher:
    """Make the cgroup of this instance's pull workers, and what starts them in it."""
    cgroup = WorkerCgroup(
        worker_cgroup_name(monitor_cgroup_name(settings.state)),
        host.layout,
        mounted_hierarchies(),
        memory_bytes=settings.image.worker_memory,
    )
    cgroup.start()
    stack.callback(cgroup.stop)
    return ProgramWorkerLauncher(programs, cgroup)


def _network(settings: Settings, programs: ProgramRunner, times: ProgramTimes) -> CniNetwork:
    wanted = settings.network
    return CniNetwork(
        programs,
        configuration_directory=Path(wanted.cni_conf_dir),
        plugin_directories=[Path(directory) for directory in wanted.cni_bin_dirs],
        plugin_timeout_seconds=float(wanted.cni_timeout_seconds),
        times=times,
    )


def _as_built(found: DriverFeatures) -> DriverFeatures:
    """Take away what the runtime could do but this version of Lading refuses: Status must not promise it."""
    return replace(found, user_namespaces=False)


def _as_drivers(drivers: Mapping[str, OciRuntimeDriver]) -> Mapping[str, ContainerDriver]:
    return dict(drivers)


def _spec_settings(
    settings: Settings, rlimits: tuple[runtime.spec.request.Rlimit, ...]
) -> dict[str, runtime.spec.request.HandlerSettings]:
    return {
        name: runtime.spec.request.HandlerSettings(
            name=name,
            privileged_without_host_devices=one.privileged_without_host_devices,
            allowed_annotations=one.allowed_annotations,
            default_rlimits=rlimits,
        )
        for name, one in settings.runtime.handlers.items()
    }


def _findings(
    facts: runtime.spec.request.HostFacts,
    features: Mapping[str, DriverFeatures],
    choice: HandlerChoice,
    pause: Path,
) -> list[Finding]:
    return [
        *check_rights(facts, os.geteuid()),
        *check_handlers(features, choice),
        *check_known_faults(features),
        *check_pause(str(pause), os.access(pause, os.X_OK)),
    ]
