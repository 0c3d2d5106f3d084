"""A node on fakes that can be killed and started again, as often as a test likes.

The fakes are the kernel, the runtimes and the network: they outlive the node, as the real ones outlive the daemon.
"""

import asyncio
import shutil
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path

from runtime.drivers.driver import CreateRequest
from runtime.errors import NotFound
from runtime.host.host import PodNamespaces, ProcessIdentity
from runtime.lifecycle.container_create import create_container
from runtime.lifecycle.node import Node, NodeSettings
from runtime.lifecycle.recovery import RecoveryReport, recover
from runtime.lifecycle.sandbox_start import run_sandbox
from runtime.records.container import ContainerConfig, ContainerMetadata, ContainerRecord
from runtime.records.sandbox import (
    LinuxSandboxConfig,
    SandboxConfig,
    SandboxMetadata,
    SandboxRecord,
)
from runtime.records.security import (
    ContainerSecurity,
    NamespaceMode,
    NamespaceOptions,
    SandboxSecurity,
)
from runtime.spec.image_defaults import ImageDefaults
from runtime.spec.request import HostFacts
from runtime.store.bundle_directories import names_in
from runtime.store.state_db import StateDatabase
from runtime.tests.fakes.fake_driver import FakeDriver, FakeHandle
from runtime.tests.fakes.fake_host import FakeHost, FakeProcess
from runtime.tests.fakes.fake_pod_network import FakePodNetwork

IMAGE_ID = "sha256:" + "a" * 64
IMAGE = ImageDefaults(cmd=("/bin/app",))
FACTS = HostFacts(capabilities=("CAP_CHOWN",), known_capabilities=("CAP_CHOWN",))


class TestSupervisor:
    """Holds tasks until the node is killed."""

    __test__ = False

    def __init__(self) -> None:
        self.tasks: set[asyncio.Task[None]] = set()

    def spawn(self, coroutine: Coroutine[object, object, None], *, name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(coroutine, name=name)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    async def kill(self) -> None:
        while self.tasks:
            tasks = list(self.tasks)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


class Dead:
    """What a killed daemon can still do: nothing."""

    def __getattr__(self, name: str) -> object:
        async def nothing(*_: object, **__: object) -> None:
            raise asyncio.CancelledError

        return nothing


class DiskHost(FakeHost):
    """Removes directories for real, as the fake does not."""

    async def remove_tree(self, directory: Path) -> None:
        await super().remove_tree(directory)
        shutil.rmtree(directory, ignore_errors=True)

    async def create_namespaces(self, wanted: PodNamespaces) -> None:
        await super().create_namespaces(wanted)
        wanted.directory.mkdir(exist_ok=True)

    async def destroy_namespaces(self, directory: Path) -> None:
        await super().destroy_namespaces(directory)
        shutil.rmtree(directory, ignore_errors=True)

    async def destroy_pod_files(self, directory: Path) -> None:
        await super().destroy_pod_files(directory)


class LinkedDriver(FakeDriver):
    """Its containers' processes exist on the fake host."""

    def __init__(self, host: FakeHost) -> None:
        super().__init__("crun")
        self.host = host

    async def create(self, request: CreateRequest) -> FakeHandle:
        handle = await super().create(request)
        container = self.containers[request.id]
        identity = ProcessIdentity(
            pid=handle.identity.pid, start_time=handle.identity.pid_start_time
        )
        process = FakeProcess(identity)
        self.host.processes[identity.pid] = process
        container.ended.add_done_callback(lambda _: process.ended.set())
        return handle


class FakeImages:
    """Every image is here; who holds what is written down."""

    def __init__(self, layers: Path) -> None:
        self.held: dict[str, str] = {}
        self.layers = (layers,)
        self.missing: set[str] = set()
        self.failures = 0
        self.release_failures = 0

    async def acquire(self, image_id: str, container_id: str) -> tuple[Path, ...]:
        if image_id in self.missing:
            raise NotFound(f"image {image_id}", "is not here", reason="NoImage")
        if self.failures:
            self.failures -= 1
            raise NotFound(f"image {image_id}", "was told to fail", reason="Injected")
        self.held[container_id] = image_id
        return self.layers

    async def release(self, container_id: str) -> None:
        if self.release_failures:
            self.release_failures -= 1
            raise NotFound("release", "was told to fail", reason="Injected")
        self.held.pop(container_id, None)


class Rig:
    """The node and its surroundings."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.host = DiskHost()
        self.driver = LinkedDriver(self.host)
        self.network = FakePodNetwork()
        self.images = FakeImages(directory / "layer")
        self.boot_id = "boot-1"
        self.now_ns = 1_700_000_000_000_000_000
        self.supervisor = TestSupervisor()
        self.node = self._new_node()

    def _new_node(self) -> Node:
        settings = NodeSettings(
            root=self.directory / "root",
            state=self.directory / "state",
            boot_id=self.boot_id,
            pause_program=Path("/pause"),
            host_name="worker-1",
            stop_slack_seconds=0.05,
        )
        settings.root.mkdir(mode=0o700, exist_ok=True)
        return Node(
            settings=settings,
            host=self.host,
            drivers={"crun": self.driver},
            default_handler="crun",
            features={"crun": self.driver.features},
            network=self.network,
            images=self.images,
            db=StateDatabase(settings.root / "state.db"),
            supervisor=self.supervisor,
            host_facts=FACTS,
            clock=self._clock,
        )

    def _clock(self) -> int:
        self.now_ns += 1
        return self.now_ns

    async def start(self) -> RecoveryReport:
        report = await recover(self.node)
        await report.clean_up
        return report

    async def kill(self) -> None:
        """As kill -9: what was submitted to the database is there, nothing else happens any more."""
        await self.node.db.close()
        self.node.host = self.node.network = self.node.images = Dead()  # type: ignore[assignment]
        self.node.drivers = {"crun": Dead()}  # type: ignore[dict-item]
        await self.supervisor.kill()

    async def restart(self, *, reboot: bool = False) -> RecoveryReport:
        await self.kill()
        self.release()
        if reboot:
            self._forget_kernel()
        self.supervisor = TestSupervisor()
        self.node = self._new_node()
        return await self.start()

    def release(self) -> None:
        """Let nothing hang or fail any more."""
        for one in (self.host, self.network):
            for hang in one._hangs.values():
                hang.release.set()
            one._hangs.clear()
            one._failures.clear()
        for operation in list(self.driver._gates):
            self.driver.release(operation)
        self.driver._failures.clear()

    def _forget_kernel(self) -> None:
        self.boot_id = "boot-2"
        old = self.host
        self.host = DiskHost()
        self.driver = LinkedDriver(self.host)
        self.host.sources = old.sources
        shutil.rmtree(self.directory / "state")

    # --- shortcuts

    async def pod(self, config: SandboxConfig | None = None) -> SandboxRecord:
        return self.node.sandbox(await run_sandbox(self.node, config or pod_config(), ""))

    async def container(
        self, pod: SandboxRecord, config: ContainerConfig | None = None
    ) -> ContainerRecord:
        id = await create_container(
            self.node, pod.id, config or container_config(), IMAGE_ID, IMAGE
        )
        return self.node.container(id)

    def left(self) -> dict[str, object]:
        """Return everything that exists outside the database; empty values are left out."""
        paths = self.node.paths
        everything: dict[str, object] = {
            "namespaces": set(self.host.namespaces),
            "pids": set(self.host.pinned_pids),
            "pod files": set(self.host.pod_files),
            "mounts": set(self.host.mounts),
            "processes": {
                pid for pid, process in self.host.processes.items() if not process.ended.is_set()
            },
            "network": set(self.network.attached),
            "containers": set(self.driver.containers),
            "images": set(self.images.held),
            "disk": {
                directory.name: names
                for directory in (paths.pods, paths.pins, paths.bundles, paths.layers)
                if (names := names_in(directory))
            },
            "pending": dict(self.node.pending),
        }
        return {name: value for name, value in everything.items() if value}


def pod_config(
    name: str = "web",
    *,
    attempt: int = 0,
    pid: NamespaceMode = NamespaceMode.POD,
    network: NamespaceMode = NamespaceMode.POD,
    ipc: NamespaceMode = NamespaceMode.POD,
) -> SandboxConfig:
    options = NamespaceOptions(pid=pid, network=network, ipc=ipc)
    return SandboxConfig(
        metadata=SandboxMetadata(name=name, namespace="default", uid="u1", attempt=attempt),
        linux=LinuxSandboxConfig(security=SandboxSecurity(namespaces=options)),
    )


def container_config(
    name: str = "app",
    *,
    attempt: int = 0,
    pid: NamespaceMode = NamespaceMode.POD,
    target_id: str = "",
    **changes: object,
) -> ContainerConfig:
    options = NamespaceOptions(pid=pid, target_id=target_id)
    config = ContainerConfig(
        metadata=ContainerMetadata(name=name, attempt=attempt),
        image="app:v1",
        security=ContainerSecurity(namespaces=options),
    )
    return replace(config, **changes)  # type: ignore[arg-type]
