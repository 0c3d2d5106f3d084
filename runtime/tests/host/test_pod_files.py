"""Files of a pod on mounts of their own, with mounting left out."""

import stat
from pathlib import Path

import pytest

from runtime.errors import InvalidArgument
from runtime.host import pod_files


@pytest.fixture
def mounted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    calls: list[tuple[str, int]] = []

    def mount_tmpfs(target: Path, *, size_bytes: int, inodes: int, mode: int) -> None:
        calls.append((target.name, size_bytes))

    def unmount_all(target: Path) -> int:
        for path in target.iterdir() if target.exists() else ():
            path.unlink()
        return 0

    monkeypatch.setattr(pod_files, "mount_tmpfs", mount_tmpfs)
    monkeypatch.setattr(pod_files, "unmount_all", unmount_all)
    return calls


def test_files_and_shared_memory_are_sized(tmp_path: Path, mounted: list[tuple[str, int]]) -> None:
    pod_files.make_pod_files(tmp_path, (("hostname", "web\n"),), 65536)
    assert mounted == [("files", pod_files.FILES_BYTES), ("shm", 65536)]
    path = tmp_path / "files" / "hostname"
    assert path.read_text() == "web\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    pod_files.destroy_pod_files(tmp_path)
    pod_files.destroy_pod_files(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["", ".", "..", "../hosts", "/etc/hosts", "a/b", "a\0b"])
def test_name_that_is_no_plain_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidArgument, match="not a plain name"):
        pod_files.make_pod_files(tmp_path, ((name, ""),), 0)


def test_text_that_would_fill_the_mount_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="larger than"):
        pod_files.make_pod_files(tmp_path, (("hosts", "x" * pod_files.FILES_BYTES),), 0)


def test_failure_leaves_nothing(tmp_path: Path, mounted: list[tuple[str, int]]) -> None:
    with pytest.raises(FileExistsError):
        pod_files.make_pod_files(tmp_path, (("hosts", "a"), ("hosts", "b")), 0)
    assert list(tmp_path.iterdir()) == []
