"""The files of a pod that its containers may write: each set on a small tmpfs of its own (security rule J2).

A container that fills its resolv.conf or /dev/shm meets the limit of that mount, never the host's /run.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from runtime.errors import InvalidArgument
from runtime.host.mounts import mount_tmpfs, unmount_all

FILES_BYTES = 1 << 20
"""For hostname, hosts and resolv.conf together; a large hosts file has some 100 KiB."""
_FILES_INODES = 64
_SHM_INODES = 65536
"""Shared memory segments; each inode costs the host about 1 KB of kernel memory."""

_FILES, _SHM = "files", "shm"


def make_pod_files(directory: Path, files: Sequence[tuple[str, str]], shm_bytes: int) -> None:
    """Mount and fill `directory`/files, and `directory`/shm unless `shm_bytes` is 0; nothing is left on failure.

    Raises:
        InvalidArgument: a name is no plain file name, or the text is too large.
        OSError: the kernel refused.
    """
    _check(files)
    try:
        _mount(directory / _FILES, size_bytes=FILES_BYTES, inodes=_FILES_INODES, mode=0o755)
        for name, text in files:
            _write(directory / _FILES / name, text.encode())
        if shm_bytes:
            _mount(directory / _SHM, size_bytes=shm_bytes, inodes=_SHM_INODES, mode=0o1777)
    except BaseException:
        destroy_pod_files(directory)
        raise


def destroy_pod_files(directory: Path) -> None:
    """Unmount both and remove their directories; gone is success.

    Raises:
        OSError: the kernel refused.
    """
    for name in (_FILES, _SHM):
        place = directory / name
        unmount_all(place)
        try:
            os.rmdir(place)
        except FileNotFoundError:
            continue


def _check(files: Sequence[tuple[str, str]]) -> None:
    for name, _ in files:
        if name in ("", ".", "..") or "/" in name or "\0" in name:
            raise InvalidArgument(f"pod file {name!r}", "is not a plain name", reason="BadName")
    if sum(len(text.encode()) for _, text in files) > FILES_BYTES // 2:
        raise InvalidArgument(
            "pod files", f"are larger than {FILES_BYTES // 2} bytes", reason="PodFilesTooLarge"
        )


def _mount(target: Path, *, size_bytes: int, inodes: int, mode: int) -> None:
    os.makedirs(target, mode=0o700, exist_ok=True)
    mount_tmpfs(target, size_bytes=size_bytes, inodes=inodes, mode=mode)


def _write(path: Path, content: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(path, flags, 0o644), "wb") as file:
        os.fchmod(file.fileno(), 0o644)  # any user of the containers reads it, whatever our umask
        file.write(content)
