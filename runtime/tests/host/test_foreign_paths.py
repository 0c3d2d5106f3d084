"""Host paths of pods: links, deadline, and the count of those that hang."""

import asyncio
import threading
from pathlib import Path

import pytest

from runtime.errors import InvalidArgument, NotFound, ResourceExhausted, Unavailable
from runtime.host.foreign_paths import ForeignPaths
from runtime.host.host import ResolvedSource


async def test_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    found = await ForeignPaths().resolve(
        str(tmp_path / "link"), create=False, deadline_seconds=30.0
    )
    assert found == ResolvedSource(path=str(tmp_path / "real"), is_directory=True)


async def test_file_is_found_as_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = await ForeignPaths().resolve(str(tmp_path / "file"), create=True, deadline_seconds=30.0)
    assert not found.is_directory
    assert not found.created


async def test_missing_path_is_made_with_its_parents_and_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("a/b")
    found = await ForeignPaths().resolve(str(tmp_path / "link"), create=True, deadline_seconds=30.0)
    assert found == ResolvedSource(path=str(tmp_path / "a" / "b"), is_directory=True, created=True)


async def test_missing_path_is_not_made_unasked(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="does not exist"):
        await ForeignPaths().resolve(str(tmp_path / "x"), create=False, deadline_seconds=30.0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", ["relative", "", "/a\0b", "/" + "x" * 70_000])
async def test_impossible_path_is_refused(path: str) -> None:
    with pytest.raises(InvalidArgument):
        await ForeignPaths().resolve(path, create=True, deadline_seconds=30.0)


async def test_path_through_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidArgument):
        await ForeignPaths().resolve(
            str(tmp_path / "file" / "x"), create=True, deadline_seconds=30.0
        )


async def test_other_failure_of_the_kernel_is_told() -> None:
    def broken(path: str, create: bool) -> ResolvedSource:
        raise OSError(5, "Input/output error")

    with pytest.raises(Unavailable, match="input/output error"):
        await ForeignPaths(lookup=broken).resolve("/x", create=False, deadline_seconds=30.0)


async def test_hanging_paths_meet_the_deadline_and_then_the_limit() -> None:
    gate = threading.Event()

    def hangs(path: str, create: bool) -> ResolvedSource:
        gate.wait()
        return ResolvedSource(path=path, is_directory=True)

    paths = ForeignPaths(limit=2, lookup=hangs)
    for _ in range(2):
        with pytest.raises(Unavailable, match=r"did not answer within 0\.01 s"):
            await paths.resolve("/dead", create=False, deadline_seconds=0.01)
    assert paths.running == 2
    with pytest.raises(ResourceExhausted, match="2 look-ups"):
        await paths.resolve("/dead", create=False, deadline_seconds=0.01)
    gate.set()
    async with asyncio.timeout(30):
        while paths.running:
            await asyncio.sleep(0)
    assert (await paths.resolve("/dead", create=False, deadline_seconds=30.0)).is_directory
