"""LinuxHost hands over to the files of its package; here without privileges, in full in e2e/test_host.py."""

import os
from pathlib import Path

import pytest

from runtime.errors import FailedPrecondition, NotFound, PodRuntimeError
from runtime.host import linux_host
from runtime.host.cgroup_layout import CgroupLayout
from runtime.host.linux_host import LinuxHost
from runtime.tests.host.test_pause_process import FakeEnd, FakeLauncher


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LinuxHost:
    layout = CgroupLayout(
        mode="v2", controllers=(), unified=tmp_path / "cgroup", unified_controllers=()
    )
    monkeypatch.setattr("runtime.host.cgroup_layout.read_layout", lambda entries: layout)
    return LinuxHost(FakeLauncher(FakeEnd()))


async def test_files_devices_and_paths_are_looked_up(host: LinuxHost, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert await host.read_below(tmp_path, "file", 10) == b"x"
    assert (await host.resolve_source(str(tmp_path), create=False, deadline_seconds=5)).is_directory
    assert await host.find_devices("/dev/null")
    assert await host.host_devices()
    opened = await host.open_log_directory(str(tmp_path / "logs"), "0.log")
    os.close(opened.descriptor)
    await host.remove_tree(tmp_path / "logs")
    assert not (tmp_path / "logs").exists()
    assert (await host.layer_usage(tmp_path)).inodes_used == 2


async def test_own_process_is_known(host: LinuxHost) -> None:
    process = await host.identify(os.getpid())
    assert process is not None
    assert host.is_alive(process)
    assert await host.signal(process, 0)
    assert not await host.wait_gone(process, 0)


async def test_errors_of_the_kernel_become_ours(host: LinuxHost, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="below"):
        await host.read_below(tmp_path / "none", "file", 10)
    with pytest.raises(NotFound, match="network namespace"):
        await host.network_accounting(tmp_path)
    (tmp_path / "net").write_text("no namespace")
    with pytest.raises(PodRuntimeError):
        await host.network_accounting(tmp_path)


async def test_absent_cgroup_is_gone(host: LinuxHost) -> None:
    await host.kill_cgroup("/pod")
    await host.remove_cgroup("/pod")
    assert await host.cgroup_usage("/pod") is None
    assert await host.oom_kills("/pod") is None


async def test_cgroup_that_stays_busy_is_told(
    host: LinuxHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linux_host, "_EMPTYING_SECONDS", 0.0)
    (tmp_path / "cgroup" / "pod").mkdir(parents=True)
    (tmp_path / "cgroup" / "pod" / "busy").touch()
    with pytest.raises(FailedPrecondition, match="there are processes in it"):
        await host.remove_cgroup("/pod")
