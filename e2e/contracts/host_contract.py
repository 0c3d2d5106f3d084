"""What every Host must do: run on the fake by unit tests, on the kernel by `e2e/test_host.py`.

A test module subclasses `HostContract` and gives a `world` fixture: a host, a directory, and ways to put things there
from outside.
"""

import signal
from pathlib import Path
from typing import Protocol

import pytest

from runtime.errors import InvalidArgument, NotFound, PodRuntimeError
from runtime.host.host import Host, OverlayMount, PauseRequest, PodNamespaces, ProcessIdentity

LIMIT = 60.0
"""Seconds that any single wait of the suite may take on a busy machine."""


class HostWorld(Protocol):
    """A host under test and its surroundings."""

    @property
    def host(self) -> Host:
        """The host."""

    @property
    def directory(self) -> Path:
        """Exists and is empty; everything of the test is below it."""

    @property
    def pause_program(self) -> Path:
        """The pause program."""

    @property
    def cgroup(self) -> str:
        """A cgroup path that does not exist yet."""

    def put_file(self, path: Path, content: bytes) -> None:
        """Let a regular file exist."""

    def put_directory(self, path: Path) -> None:
        """Let a directory exist."""

    async def start_process(self) -> int:
        """Start a process that sleeps, and return its pid; it dies of SIGTERM."""

    def is_mounted(self, path: Path) -> bool:
        """Tell whether something is mounted at `path`."""


def pod_namespaces(world: HostWorld, name: str = "ns") -> PodNamespaces:
    """Return a request for all namespaces of a pod."""
    return PodNamespaces(
        directory=world.directory / name,
        network=True,
        ipc=True,
        uts=True,
        hostname="web-0",
        sysctls=(("net/ipv4/ip_unprivileged_port_start", "0"), ("kernel.shm_rmid_forced", "1")),
    )


def overlay_of(world: HostWorld, layers: int = 2) -> OverlayMount:
    """Return a root filesystem with layers that exist."""
    lower = tuple(world.directory / f"layer{number}" for number in range(layers))
    for path in lower:
        world.put_directory(path)
    return OverlayMount(
        target=world.directory / "root",
        lower=lower,
        upper=world.directory / "upper",
        work=world.directory / "work",
    )


async def living(world: HostWorld) -> ProcessIdentity:
    """Start a process and return its identity."""
    process = await world.host.identify(await world.start_process())
    assert process is not None
    return process


class HostContract:
    """The suite; see the module docstring."""

    async def test_namespaces_are_made_and_destroyed(self, world: HostWorld) -> None:
        wanted = pod_namespaces(world)
        await world.host.create_namespaces(wanted)
        assert await world.host.network_accounting(wanted.directory) == (("lo", 0, 0),)
        await world.host.destroy_namespaces(wanted.directory)
        with pytest.raises(NotFound):
            await world.host.network_accounting(wanted.directory)

    async def test_ipv6_is_switched_off_in_namespaces_that_are_there(
        self, world: HostWorld
    ) -> None:
        wanted = pod_namespaces(world)
        await world.host.create_namespaces(wanted)
        await world.host.switch_off_ipv6(wanted.directory, "lo")
        await world.host.switch_off_ipv6(wanted.directory, "no-such-interface")
        await world.host.destroy_namespaces(wanted.directory)
        with pytest.raises(NotFound):
            await world.host.switch_off_ipv6(wanted.directory, "lo")

    async def test_destroying_namespaces_twice_is_success(self, world: HostWorld) -> None:
        wanted = pod_namespaces(world)
        await world.host.create_namespaces(wanted)
        await world.host.destroy_namespaces(wanted.directory)
        await world.host.destroy_namespaces(wanted.directory)

    async def test_pause_runs_until_it_is_signalled(self, world: HostWorld) -> None:
        wanted = pod_namespaces(world)
        await world.host.create_namespaces(wanted)
        process = await world.host.start_pause(
            PauseRequest(program=world.pause_program, namespaces=wanted.directory, cgroup="")
        )
        assert world.host.is_alive(process)
        assert await world.host.signal(process, signal.SIGTERM)
        assert await world.host.wait_gone(process, LIMIT)
        assert not world.host.is_alive(process)
        await world.host.destroy_namespaces(wanted.directory)

    async def test_pod_files_are_mounted_and_destroyed(self, world: HostWorld) -> None:
        directory = world.directory / "pod"
        world.put_directory(directory)
        await world.host.make_pod_files(directory, (("hostname", "web-0\n"),), 65536)
        assert world.is_mounted(directory / "files")
        assert world.is_mounted(directory / "shm")
        await world.host.destroy_pod_files(directory)
        await world.host.destroy_pod_files(directory)
        assert not world.is_mounted(directory / "files")
        assert not world.is_mounted(directory / "shm")

    async def test_shared_memory_is_left_out_when_its_size_is_zero(self, world: HostWorld) -> None:
        directory = world.directory / "pod"
        world.put_directory(directory)
        await world.host.make_pod_files(directory, (), 0)
        assert not world.is_mounted(directory / "shm")
        await world.host.destroy_pod_files(directory)

    async def test_pod_file_with_a_path_for_a_name_is_refused(self, world: HostWorld) -> None:
        for name in ("../hosts", "..", ""):
            with pytest.raises(InvalidArgument):
                await world.host.make_pod_files(world.directory, ((name, ""),), 0)

    async def test_overlay_is_mounted_and_unmounted(self, world: HostWorld) -> None:
        wanted = overlay_of(world)
        await world.host.mount_overlay(wanted)
        assert world.is_mounted(wanted.target)
        await world.host.unmount(wanted.target)
        await world.host.unmount(wanted.target)
        assert not world.is_mounted(wanted.target)

    async def test_overlay_without_layers_is_refused(self, world: HostWorld) -> None:
        with pytest.raises(InvalidArgument):
            await world.host.mount_overlay(overlay_of(world, layers=0))

    async def test_unmount_below_takes_everything(self, world: HostWorld) -> None:
        wanted = overlay_of(world)
        await world.host.mount_overlay(wanted)
        await world.host.create_namespaces(pod_namespaces(world))
        await world.host.unmount_below(world.directory)
        assert not world.is_mounted(wanted.target)
        with pytest.raises(PodRuntimeError):
            await world.host.network_accounting(world.directory / "ns")

    async def test_removed_tree_is_gone(self, world: HostWorld) -> None:
        world.put_directory(world.directory / "box")
        world.put_file(world.directory / "box" / "file", b"x")
        await world.host.remove_tree(world.directory / "box")
        await world.host.remove_tree(world.directory / "box")
        assert await world.host.read_below(world.directory, "box/file", 10) is None

    async def test_file_below_a_root_is_read_up_to_the_limit(self, world: HostWorld) -> None:
        world.put_file(world.directory / "passwd", b"12345")
        assert await world.host.read_below(world.directory, "passwd", 5) == b"12345"
        assert await world.host.read_below(world.directory, "/passwd", 5) == b"12345"
        assert await world.host.read_below(world.directory, "group", 5) is None
        with pytest.raises(InvalidArgument):
            await world.host.read_below(world.directory, "passwd", 4)

    async def test_missing_source_is_made_when_asked_for(self, world: HostWorld) -> None:
        path = str(world.directory / "source")
        with pytest.raises(NotFound):
            await world.host.resolve_source(path, create=False, deadline_seconds=LIMIT)
        made = await world.host.resolve_source(path, create=True, deadline_seconds=LIMIT)
        assert (made.path, made.is_directory, made.created) == (path, True, True)
        again = await world.host.resolve_source(path, create=True, deadline_seconds=LIMIT)
        assert not again.created

    async def test_missing_device_is_not_found(self, world: HostWorld) -> None:
        with pytest.raises(NotFound):
            await world.host.find_devices(str(world.directory / "no-device"))

    async def test_process_is_known_until_it_ends(self, world: HostWorld) -> None:
        process = await living(world)
        assert world.host.is_alive(process)
        assert not await world.host.wait_gone(process, 0.001)
        assert await world.host.signal(process, signal.SIGKILL)
        assert await world.host.wait_gone(process, LIMIT)
        assert not world.host.is_alive(process)
        assert not await world.host.signal(process, signal.SIGKILL)
        assert await world.host.wait_gone(process, None)

    async def test_recycled_pid_is_another_process(self, world: HostWorld) -> None:
        process = await living(world)
        earlier = ProcessIdentity(pid=process.pid, start_time=process.start_time - 1)
        assert not world.host.is_alive(earlier)
        assert not await world.host.signal(earlier, signal.SIGKILL)
        assert await world.host.wait_gone(earlier, None)
        assert world.host.is_alive(process)
        await world.host.signal(process, signal.SIGKILL)

    async def test_absent_process_has_no_identity(self, world: HostWorld) -> None:
        assert await world.host.identify(0x7FFFFFFF) is None

    async def test_absent_cgroup_is_killed_and_removed_with_success(self, world: HostWorld) -> None:
        await world.host.kill_cgroup(world.cgroup)
        await world.host.remove_cgroup(world.cgroup)
        assert await world.host.cgroup_usage(world.cgroup) is None

    async def test_killing_a_cgroup_ends_its_processes(self, world: HostWorld) -> None:
        wanted = pod_namespaces(world)
        await world.host.create_namespaces(wanted)
        process = await world.host.start_pause(
            PauseRequest(
                program=world.pause_program, namespaces=wanted.directory, cgroup=world.cgroup
            )
        )
        await world.host.kill_cgroup(world.cgroup)
        assert await world.host.wait_gone(process, LIMIT)
        await world.host.remove_cgroup(world.cgroup)
        await world.host.destroy_namespaces(wanted.directory)

    async def test_layer_usage_of_a_missing_directory_is_nothing(self, world: HostWorld) -> None:
        usage = await world.host.layer_usage(world.directory / "no-layer")
        assert (usage.used_bytes, usage.inodes_used) == (0, 0)
