"""Damage of an extracted layer is found and named, and a whole one has none."""

import os
import stat
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from image.host.disk_usage import usage_below
from image.store.tree_record import record_tree, tree_damage

Change = Callable[[Path], None]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "usr/bin").mkdir(parents=True)
    (root / "usr/bin/tool").write_bytes(b"program" * 1000)
    os.link(root / "usr/bin/tool", root / "usr/twin")
    (root / "empty").mkdir()
    (root / "lib").symlink_to("usr/lib")
    os.mkfifo(root / "pipe")
    (root / os.fsdecode(b"\xff\xfe")).write_bytes(b"odd name")
    return root


def record(root: Path) -> tuple[int, int]:
    """Write a tree down with the CRC of all its files."""
    sums = {
        path.stat().st_ino: zlib.crc32(path.read_bytes())
        for path in root.rglob("*")
        if stat.S_ISREG(path.lstat().st_mode)
    }
    fd = os.open(root, os.O_RDONLY)
    try:
        return record_tree(fd, root.with_name("content"), sums)
    finally:
        os.close(fd)


def damage(root: Path) -> str:
    return tree_damage(root, root.with_name("content"))


def test_a_whole_tree_has_no_damage_and_its_size_is_counted(tree: Path) -> None:
    assert record(tree) == usage_below(tree)
    assert damage(tree) == ""


def _same_size_and_time(root: Path) -> None:
    tool = root / "usr/bin/tool"
    before = tool.stat()
    with tool.open("r+b") as file:
        file.write(b"P")
    os.utime(tool, ns=(before.st_mtime_ns, before.st_mtime_ns))


def _replace_link(root: Path) -> None:
    before = (root / "lib").lstat()
    (root / "lib").unlink()
    (root / "lib").symlink_to("elsewhere")
    for path, times in ((root / "lib", before), (root, root.stat())):
        os.utime(path, ns=(times.st_mtime_ns, before.st_mtime_ns), follow_symlinks=False)


CHANGES: dict[str, tuple[Change, str]] = {
    "content": (_same_size_and_time, "'usr/bin/tool' has another content|'usr/twin' has another"),
    "size": (lambda root: os.truncate(root / "usr/bin/tool", 5), "has another"),
    "mode": (lambda root: (root / "pipe").chmod(0o700), "'pipe' has another kind or mode"),
    "time": (lambda root: os.utime(root / "empty", ns=(5, 5)), "'empty' has another time"),
    "root": (lambda root: root.chmod(0o700), "its root has another mode"),
    "link": (_replace_link, "'lib' has another content|its root has another"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_damage_is_named_with_its_file(tree: Path, name: str) -> None:
    change, said = CHANGES[name]
    record(tree)
    change(tree)
    found = damage(tree)
    assert any(words in found for words in said.split("|")), found


def _unchanged_times(root: Path, place: str, change: Change) -> None:
    """Change what a directory holds and give it its old time, as a lost block would leave it."""
    before = (root / place).stat().st_mtime_ns
    change(root)
    os.utime(root / place, ns=(before, before))


def test_missing_and_unknown_files_are_named(tree: Path) -> None:
    record(tree)
    _unchanged_times(tree, "empty", lambda root: (root / "empty/extra").touch())
    assert damage(tree) == "its file 'empty/extra' was not there when it was made"
    _unchanged_times(tree, "empty", lambda root: (root / "empty/extra").unlink())
    _unchanged_times(tree, "usr/bin", lambda root: (root / "usr/bin/tool").unlink())
    assert damage(tree) == "its file 'usr/bin/tool' is missing"
    _unchanged_times(tree, "usr", lambda root: (root / "usr/bin").rmdir())
    assert "is missing" in damage(tree)


def test_a_missing_directory_is_named(tree: Path) -> None:
    record(tree)
    content = tree.with_name("content")
    lines = content.read_text().splitlines()
    content.write_text("".join(f"{one}\n" for one in lines if '"empty"' in one[:10]))
    (tree / "empty").rmdir()
    assert damage(tree) == "its directory 'empty' is missing"


@pytest.mark.parametrize("line", ["no json", "5", '["", {"a": 5}]', '["x"]', '["", []]'])
def test_a_list_that_is_damaged_itself_is_told(tree: Path, line: str) -> None:
    record(tree)
    (tree / "a").touch()
    tree.with_name("content").write_text(line + "\n")
    assert damage(tree) == "the list of its files cannot be read"


def test_a_file_without_sum_is_compared_by_all_else(tree: Path) -> None:
    fd = os.open(tree, os.O_RDONLY)
    record_tree(fd, tree.with_name("content"), {})
    os.close(fd)
    _same_size_and_time(tree)
    assert damage(tree) == ""


def test_a_tree_that_nobody_wrote_down_is_told(tree: Path) -> None:
    with pytest.raises(FileNotFoundError):
        damage(tree)
