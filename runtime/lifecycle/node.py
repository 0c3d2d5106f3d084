"""The node: its settings, its collaborators, and what runs on it, in memory.

Status and lists come from here and never wait. Records are replaced as a whole, always together with the database by the
operation that changes them; nothing is visible before its operation says so.
"""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from runtime.drivers.driver import ContainerDriver, DriverFeatures
from runtime.drivers.pod_network import PodNetwork
from runtime.drivers.supervisor import Supervisor
from runtime.errors import InvalidArgument, NotFound, Unavailable
from runtime.host.host import Host
from runtime.lifecycle.event_stream import EventKind, EventStream, LifecycleEvent
from runtime.lifecycle.live_container import LiveContainer
from runtime.lifecycle.object_locks import ObjectLocks
from runtime.lifecycle.operations import Operations
from runtime.records.container import ContainerRecord
from runtime.records.identifiers import ID_BYTES, container_key, new_id, resolve_prefix, sandbox_key
from runtime.records.list_filter import ContainerFilter, SandboxFilter, matches
from runtime.records.sandbox import SandboxRecord
from runtime.spec.request import HandlerSettings, HostFacts, RuntimeFeatures
from runtime.store.bundle_directories import NodePaths
from runtime.store.journal import Intent
from runtime.store.state_db import StateDatabase

MIB = 1024 * 1024


class RootfsProvider(Protocol):
    """Where root filesystems come from; the daemon implements it with the image store."""

    async def acquire(self, image_id: str, container_id: str) -> tuple[Path, ...]:
        """Return the image's layer directories, topmost first, and keep them until `release`.

        For an image volume `image_id` is whatever the mount named. Raises NotFound when the image is not here.
        """

    async def release(self, container_id: str) -> None:
        """Give back what `acquire` kept for this id; idempotent."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeSettings:
    """Settings of the lifecycle code; every default says why."""

    root: Path
    """Survives a reboot: writable layers and state.db."""
    state: Path
    """On tmpfs: bundles, pins, exit files."""
    boot_id: str
    """Of the running boot (store.boot_id)."""
    pause_program: Path
    """Static program that holds a pod's PID namespace."""
    containers_root: Path | None = None
    """Where writable layers are when not below root."""
    systemd_cgroups: bool = False
    """Name cgroups as systemd slices and scopes."""
    host_name: str = field(default_factory=lambda: os.uname().nodename)
    shm_bytes: int = 64 * MIB
    """Size of a pod's /dev/shm, as both references have it."""
    journal_seconds: float = 30.0
    """Limit of one database transaction: more means a dying disk."""
    namespaces_seconds: float = 20.0
    """Creating a network namespace waits for others that are being destroyed; seconds on a busy node."""
    network_seconds: float = 240.0
    """Limit of a whole CNI ADD or DEL; each plugin has a shorter one of its own."""
    rootfs_seconds: float = 120.0
    """Acquire and mount an image's layers; on a cold disk that reads an index."""
    source_seconds: float = 20.0
    """How long one host path of a mount may take to answer; NFS hangs for ever."""
    create_seconds: float = 240.0
    """Limit of the driver's create, above its own."""
    start_seconds: float = 240.0
    stop_slack_seconds: float = 30.0
    """How long a killed container may take to end: more means uninterruptible sleep."""
    undo_step_seconds: float = 60.0
    """Limit of one clean-up step."""
    retry_seconds: float = 60.0
    """Interval at which failed clean-ups are tried again."""
    stats_seconds: float = 10.0
    """Interval of the CPU sampler: one reading per container costs about 0.1 ms."""
    layer_usage_seconds: float = 30.0
    """How old a writable layer's measured size may be: counting a large one is slow."""
    recovery_parallel: int = 32
    """Handles opened at the same time at start."""


@dataclass(kw_only=True)
class Node:
    """See the module docstring."""

    settings: NodeSettings
    host: Host
    drivers: Mapping[str, ContainerDriver]
    """By handler name."""
    default_handler: str
    features: Mapping[str, DriverFeatures]
    """By handler name, as probed at start."""
    network: PodNetwork
    images: RootfsProvider
    db: StateDatabase
    supervisor: Supervisor
    host_facts: HostFacts
    handler_settings: Mapping[str, HandlerSettings] = field(default_factory=dict)
    clock: Callable[[], int] = time.time_ns
    """Wall clock in nanoseconds."""
    random_bytes: Callable[[int], bytes] = os.urandom
    sandboxes: dict[str, SandboxRecord] = field(default_factory=dict)
    containers: dict[str, ContainerRecord] = field(default_factory=dict)
    live: dict[str, LiveContainer] = field(default_factory=dict)
    pending: dict[str, Intent] = field(default_factory=dict)
    """Clean-ups that failed or wait, by journal key."""
    events: EventStream = field(default_factory=EventStream)
    locks: ObjectLocks = field(default_factory=ObjectLocks)

    def __post_init__(self) -> None:
        self.operations = Operations(self.supervisor)
        self.paths = NodePaths(
            root=self.settings.root,
            state=self.settings.state,
            containers_root=self.settings.containers_root,
        )
        self._ids_by_key: dict[str, str] = {}

    # --- look up

    def sandbox(self, id_or_prefix: str) -> SandboxRecord:
        """Return a sandbox by id or unique prefix.

        Raises:
            NotFound: there is none.
            InvalidArgument: the id is empty, or starts several.
        """
        found = self.find_sandbox(id_or_prefix)
        if found is None:
            raise NotFound(f"pod sandbox {id_or_prefix[:64]}", "does not exist", reason="NoSandbox")
        return found

    def container(self, id_or_prefix: str) -> ContainerRecord:
        """Return a container by id or unique prefix.

        Raises:
            NotFound: there is none.
            InvalidArgument: the id is empty, or starts several.
        """
        found = self.find_container(id_or_prefix)
        if found is None:
            raise NotFound(f"container {id_or_prefix[:64]}", "does not exist", reason="NoContainer")
        return found

    def find_sandbox(self, id_or_prefix: str) -> SandboxRecord | None:
        """As `sandbox`, but None when there is none."""
        id = resolve_prefix(id_or_prefix, self.sandboxes)
        return None if id is None else self.sandboxes[id]

    def find_container(self, id_or_prefix: str) -> ContainerRecord | None:
        """As `container`, but None when there is none."""
        id = resolve_prefix(id_or_prefix, self.containers)
        return None if id is None else self.containers[id]

    def sandbox_by_key(self, key: str) -> SandboxRecord | None:
        """Return the sandbox of this metadata (`sandbox_key`)."""
        return self.sandboxes.get(self._ids_by_key.get(key, ""))

    def container_by_key(self, key: str) -> ContainerRecord | None:
        """Return the container of this metadata (`container_key`)."""
        return self.containers.get(self._ids_by_key.get(key, ""))

    def containers_of(self, sandbox_id: str) -> tuple[ContainerRecord, ...]:
        """Return the containers of a pod, oldest first."""
        return tuple(one for one in self.containers.values() if one.sandbox_id == sandbox_id)

    def list_sandboxes(self, wanted: SandboxFilter) -> tuple[SandboxRecord, ...]:
        """Return the sandboxes that fit, oldest first; never waits."""
        return tuple(one for one in self.sandboxes.values() if matches(wanted, one))

    def list_containers(self, wanted: ContainerFilter) -> tuple[ContainerRecord, ...]:
        """Return the containers that fit, oldest first; never waits."""
        return tuple(one for one in self.containers.values() if matches(wanted, one))

    # --- handlers

    def handler_for(self, requested: str, subject: str) -> str:
        """Return the name of the handler to use.

        Raises:
            InvalidArgument: there is none of this name; never a fallback.
            Unavailable: its programs cannot be used.
        """
        name = requested or self.default_handler
        if name not in self.drivers:
            raise InvalidArgument(
                subject,
                f"there is no runtime handler {name[:64]}",
                remedy=f"use one of {', '.join(sorted(self.drivers))}, or configure it",
                reason="UnknownHandler",
            )
        features = self.features[name]
        if not features.usable:
            raise Unavailable(f"handler {name}", features.reason, reason="HandlerUnusable")
        return name

    def runtime_features(self, handler: str) -> RuntimeFeatures:
        """Return what a handler's runtime can do, as the spec code wants it."""
        found = self.features[handler]
        return RuntimeFeatures(
            recursive_read_only_mounts=found.recursive_read_only_mounts,
            user_namespaces=found.user_namespaces,
            mount_options=found.mount_options,
        )

    def settings_of(self, handler: str) -> HandlerSettings:
        """Return a handler's settings."""
        return self.handler_settings.get(handler) or HandlerSettings(name=handler)

    # --- publish

    def fresh_id(self) -> str:
        """Return a new random id."""
        return new_id(self.random_bytes(ID_BYTES))

    def show_sandbox(self, record: SandboxRecord) -> None:
        """Make a version of a sandbox the one that everybody sees."""
        self.sandboxes[record.id] = record
        self._ids_by_key[sandbox_key(record.config.metadata)] = record.id

    def show_container(self, record: ContainerRecord) -> None:
        """Make a version of a container the one that everybody sees."""
        self.containers[record.id] = record
        self._ids_by_key[container_key(record.sandbox_id, record.config.metadata)] = record.id

    def hide_sandbox(self, record: SandboxRecord) -> None:
        """Forget a sandbox."""
        self.sandboxes.pop(record.id, None)
        self._forget_key(sandbox_key(record.config.metadata), record.id)

    def hide_container(self, record: ContainerRecord) -> None:
        """Forget a container."""
        self.containers.pop(record.id, None)
        self.live.pop(record.id, None)
        self._forget_key(container_key(record.sandbox_id, record.config.metadata), record.id)

    def tell(self, kind: EventKind, object_id: str, sandbox: SandboxRecord | None) -> None:
        """Publish an event about a pod (its own id) or one of its containers."""
        containers = () if sandbox is None else self.containers_of(sandbox.id)
        self.events.publish(
            LifecycleEvent(
                kind=kind,
                object_id=object_id,
                at_ns=self.clock(),
                sandbox=sandbox,
                containers=containers,
            )
        )

    def _forget_key(self, key: str, id: str) -> None:
        if self._ids_by_key.get(key) == id:
            del self._ids_by_key[key]
