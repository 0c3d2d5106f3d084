"""The fake host keeps the contract of the real one, and does what tests tell it."""

import asyncio
from pathlib import Path

import pytest

from e2e.contracts.host_contract import HostContract, pod_namespaces
from runtime.errors import Unavailable
from runtime.host.host import ResolvedSource
from runtime.tests.fakes.fake_host import FakeHost


class FakeWorld:
    """The fake host with its surroundings in memory."""

    def __init__(self) -> None:
        self.host = FakeHost()
        self.directory = Path("/fake")
        self.pause_program = Path("/fake/lading-pause")
        self.cgroup = "/kubepods/pod1"

    def put_file(self, path: Path, content: bytes) -> None:
        self.host.files[path] = content

    def put_directory(self, path: Path) -> None:
        self.host.sources[str(path)] = ResolvedSource(path=str(path), is_directory=True)

    async def start_process(self) -> int:
        return self.host.add_process().pid

    def is_mounted(self, path: Path) -> bool:
        return path in self.host.mounts


@pytest.fixture
def world() -> FakeWorld:
    return FakeWorld()


class TestFakeHost(HostContract):
    """The contract on the fake."""


async def test_told_step_fails_once_and_changes_nothing(world: FakeWorld) -> None:
    wanted = pod_namespaces(world)
    world.host.fail("create_namespaces")
    with pytest.raises(Unavailable):
        await world.host.create_namespaces(wanted)
    assert not world.host.namespaces
    await world.host.create_namespaces(wanted)
    assert world.host.called("create_namespaces") == ["/fake/ns", "/fake/ns"]


async def test_told_step_hangs_until_released(world: FakeWorld) -> None:
    hang = world.host.hang("unmount")
    async with asyncio.TaskGroup() as group:
        task = group.create_task(world.host.unmount(Path("/fake/root")))
        await hang.entered.wait()
        assert not task.done()
        hang.release.set()


async def test_ignored_signal_does_not_end_a_process(world: FakeWorld) -> None:
    process = world.host.add_process(ignored=frozenset((15,)))
    assert await world.host.signal(process, 15)
    assert world.host.is_alive(process)
    world.host.end_process(process.pid)
    assert world.host.add_process(pid=process.pid) != process
