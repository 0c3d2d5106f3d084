"""Namespaces: order, refusals and undoing, with the kernel's part recorded."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from runtime.errors import FailedPrecondition, InvalidArgument, PodRuntimeError
from runtime.host import namespaces
from runtime.host.host import PodNamespaces


class Kernel:
    """Records what would have been done; a step can be told to fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.steps: list[str] = []
        self.failing = ""
        for name in ("libc_call", "bind", "unmount_all", "write_sysctl", "write_if_present"):
            monkeypatch.setattr(namespaces, name, self._recorder(name))
        monkeypatch.setattr(namespaces, "_bring_loopback_up", self._recorder("loopback"))
        monkeypatch.setattr("socket.sethostname", self._recorder("sethostname"))

    def _recorder(self, name: str) -> object:
        def record(*arguments: object) -> int:
            self.steps.append(f"{name} {arguments[0] if arguments else ''}".strip())
            if self.failing and self.failing in self.steps[-1]:
                raise PermissionError(1, "Operation not permitted")
            return 0

        return record


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    return Kernel(monkeypatch)


@pytest.fixture
def wanted(tmp_path: Path) -> PodNamespaces:
    return PodNamespaces(
        directory=tmp_path / "ns",
        network=True,
        ipc=True,
        uts=True,
        hostname="web-0",
        sysctls=(("net.core.somaxconn", "1024"),),
    )


def test_everything_is_set_inside_before_it_is_pinned(
    kernel: Kernel, wanted: PodNamespaces
) -> None:
    namespaces.make_namespaces(wanted)
    assert kernel.steps == [
        "libc_call unshare",
        "loopback",
        "write_if_present net/ipv6/conf/all/accept_ra",
        "write_if_present net/ipv6/conf/default/accept_ra",
        "sethostname web-0",
        "write_sysctl net.core.somaxconn",
        "bind /proc/thread-self/ns/net",
        "bind /proc/thread-self/ns/ipc",
        "bind /proc/thread-self/ns/uts",
    ]
    assert sorted(os.listdir(wanted.directory)) == ["ipc", "net", "uts"]


def test_only_what_is_wanted_is_made(kernel: Kernel, wanted: PodNamespaces) -> None:
    namespaces.make_namespaces(
        replace(wanted, network=False, ipc=False, uts=False, hostname="", sysctls=())
    )
    assert kernel.steps == []
    assert os.listdir(wanted.directory) == []


@pytest.mark.parametrize(
    ("failing", "told"),
    [("unshare", "unshare"), ("loopback", "loopback"), ("thread-self/ns/uts", "pin uts")],
)
def test_failed_step_is_named_and_all_is_undone(
    kernel: Kernel, wanted: PodNamespaces, failing: str, told: str
) -> None:
    kernel.failing = failing
    with pytest.raises(FailedPrecondition, match=told):
        namespaces.make_namespaces(wanted)
    assert not wanted.directory.exists()


def test_existing_pins_are_not_undone(kernel: Kernel, wanted: PodNamespaces) -> None:
    namespaces.make_namespaces(wanted)
    with pytest.raises(PodRuntimeError, match="pin net"):
        namespaces.make_namespaces(wanted)
    assert (wanted.directory / "net").exists()


@pytest.mark.parametrize("name", ["kernel.core_pattern", "net.ipv4.ip_forward", "../x"])
def test_sysctl_that_the_pod_does_not_own_is_refused_before_anything(
    kernel: Kernel, wanted: PodNamespaces, name: str
) -> None:
    with pytest.raises(InvalidArgument, match="sysctl"):
        namespaces.make_namespaces(replace(wanted, network=False, sysctls=((name, "1"),)))
    assert kernel.steps == []


def test_refused_value_names_the_sysctl(kernel: Kernel, wanted: PodNamespaces) -> None:
    kernel.failing = "somaxconn"
    with pytest.raises(InvalidArgument, match=r"sysctl net\.core\.somaxconn: the kernel refused"):
        namespaces.make_namespaces(wanted)


def test_pins_are_removed_and_gone_is_success(kernel: Kernel, wanted: PodNamespaces) -> None:
    namespaces.make_namespaces(wanted)
    namespaces.remove_pins(wanted.directory)
    namespaces.remove_pins(wanted.directory)
    assert not wanted.directory.exists()


def test_work_is_done_after_entering(kernel: Kernel, tmp_path: Path) -> None:
    (tmp_path / "net").touch()
    assert namespaces.inside(tmp_path / "net", lambda: list(kernel.steps)) == ["libc_call setns"]
    with pytest.raises(FileNotFoundError):
        namespaces.inside(tmp_path / "none", lambda: None)
