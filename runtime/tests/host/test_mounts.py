"""Mounting and unmounting, as far as it needs no privileges."""

from pathlib import Path

import pytest

from runtime.host.mounts import (
    is_mount_point,
    list_mounts,
    mount,
    mount_tmpfs,
    unmount_all,
    unmount_tree,
)


def test_mounts_of_this_process_are_listed() -> None:
    assert "/proc" in {entry.mount_point for entry in list_mounts()}
    assert is_mount_point(Path("/proc"))


def test_what_is_no_mount_point_is_unmounted_with_success(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # An unprivileged caller is refused before the kernel looks.
    monkeypatch.setattr("runtime.host.mounts.libc_call", _refuse(22))
    assert unmount_all(tmp_path) == 0
    assert unmount_tree(tmp_path) == 0
    assert not is_mount_point(tmp_path)


def test_mounts_on_top_of_each_other_are_all_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    left = [0, 0]

    def umount(name: str, *arguments: object) -> int:
        if not left:
            raise OSError(22, "no mount point")
        return left.pop()

    monkeypatch.setattr("runtime.host.mounts.libc_call", umount)
    assert unmount_all(Path("/x")) == 2


def test_place_that_never_gets_free_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.host.mounts.libc_call", lambda *arguments: 0)
    with pytest.raises(OSError, match="still a mount point"):
        unmount_all(Path("/x"))


def test_refusal_of_the_kernel_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.host.mounts.libc_call", _refuse(1))
    with pytest.raises(PermissionError):
        unmount_all(Path("/x"))


def test_options_reach_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[object, ...]] = []

    def record(*arguments: object) -> int:
        calls.append(arguments)
        return 0

    monkeypatch.setattr("runtime.host.mounts.libc_call", record)
    mount("a", "b", "", 4096)
    mount_tmpfs(Path("/shm"), size_bytes=65536, inodes=10, mode=0o1777)
    assert calls == [
        ("mount", b"a", b"b", None, 4096, None),
        ("mount", b"tmpfs", b"/shm", b"tmpfs", 14, b"size=65536,nr_inodes=10,mode=1777"),
    ]


def _refuse(number: int) -> object:
    def refuse(*arguments: object) -> int:
        raise OSError(number, "refused")

    return refuse
