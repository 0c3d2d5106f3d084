"""Tests of extraction: what an archive asks for is made, and nothing outside the root is touched."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from image.host.extraction import ExtractionRoot
from image.store.tar_headers import TarError
from image.store.tar_stream import TarStream
from image.store.unpack_tar import Unpacker, UnpackLimits
from image.tests.store.tar_making import (
    CHARACTER,
    DIRECTORY,
    FIFO,
    HARD_LINK,
    SYMLINK,
    Chunks,
    TarMaker,
)

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


class Site:
    """A root to extract to, next to a victim that must stay as it is."""

    def __init__(self, directory: Path) -> None:
        self.root = directory / "root"
        self.victim = directory / "victim"
        self.root.mkdir()
        self.victim.mkdir()
        (self.victim / "f").write_bytes(b"safe")
        self._fd = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
        self.extraction = ExtractionRoot(self._fd)

    def unpack(self, tar: TarMaker | bytes, **limits: int) -> Unpacker:
        content = tar if isinstance(tar, bytes) else tar.done()
        unpacker = Unpacker(self.extraction, UnpackLimits(**limits))
        unpacker.run(TarStream(Chunks(content)))
        self.extraction.finish()
        return unpacker

    def close(self) -> None:
        self.extraction.close()
        os.close(self._fd)

    def assert_victim_unharmed(self) -> None:
        assert [p.name for p in self.victim.iterdir()] == ["f"]
        assert (self.victim / "f").read_bytes() == b"safe"
        assert stat.S_IMODE((self.victim / "f").stat().st_mode) == 0o644


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    old = os.umask(0o022)
    site = Site(tmp_path)
    os.umask(0)
    yield site
    os.umask(old)
    site.close()
    site.assert_victim_unharmed()


def test_tree_is_made_with_modes_and_times(site: Site) -> None:
    tar = TarMaker().add("./d/", type=DIRECTORY, mode=0o2750, mtime=5.5)
    site.unpack(tar.add("./d/f", b"hello", mode=0o4711, mtime=1.25).add("d/p", type=FIFO))
    assert (site.root / "d/f").read_bytes() == b"hello"
    status = (site.root / "d/f").stat()
    assert (stat.S_IMODE(status.st_mode), status.st_mtime_ns) == (0o4711, 1_250_000_000)
    status = (site.root / "d").stat()
    assert (stat.S_IMODE(status.st_mode), status.st_mtime_ns) == (0o2750, 5_500_000_000)
    assert stat.S_ISFIFO((site.root / "d/p").stat().st_mode)


@needs_root
def test_owners_devices_and_capabilities_are_kept(site: Site) -> None:
    capability = "\x01\0\0\x02\0\x20\0\0" + "\0" * 12
    tar = TarMaker().add("f", b"x", owner=(7, 8), mode=0o6755)
    tar.add("l", type=SYMLINK, link="f", owner=(9, 10)).add("c", type=CHARACTER, device=(1, 3))
    site.unpack(
        tar.add("cap", b"x", owner=(1, 1), pax={"SCHILY.xattr.security.capability": capability})
    )
    status = (site.root / "f").stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (7, 8, 0o6755)
    assert (site.root / "l").lstat().st_gid == 10
    assert (site.root / "c").stat().st_rdev == os.makedev(1, 3)
    assert os.getxattr(site.root / "cap", "security.capability")


@pytest.mark.parametrize(
    "target", ["{victim}", "../victim", "../../../../../../..{victim}"], ids=["abs", "rel", "deep"]
)
def test_security_a1_link_does_not_lead_outside(site: Site, target: str) -> None:
    target = target.format(victim=site.victim)
    tar = TarMaker().add("x", type=SYMLINK, link=target).add("x/f", b"evil", mode=0o777)
    site.unpack(tar.add("x/.wh.f").add("x/g", b"evil"))
    assert os.readlink(site.root / "x") == target


def test_security_a1_root_entry_that_is_a_link_is_refused(site: Site) -> None:
    with pytest.raises(TarError):
        site.unpack(TarMaker().add(".", type=SYMLINK, link=str(site.victim)))


@pytest.mark.parametrize("name", ["../victim/f", "/../../victim/f", "a/../../victim/f"])
def test_security_a1_dots_stop_at_the_root(site: Site, name: str) -> None:
    site.unpack(TarMaker().add(name, b"evil"))
    assert (site.root / "victim/f").read_bytes() == b"evil"


def test_security_a1_hard_link_target_is_inside_the_root(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(site.victim)
    for target in ("f", "../f", "../victim/f", str(site.victim / "f")):
        with pytest.raises(TarError):
            site.unpack(TarMaker().add("h", type=HARD_LINK, link=target))
    site.unpack(TarMaker().add("bin/a", b"a").add("h", type=HARD_LINK, link="/bin/a"))
    assert (site.root / "h").stat().st_ino == (site.root / "bin/a").stat().st_ino


def test_security_a1_hard_link_to_a_link_is_not_followed(site: Site) -> None:
    tar = TarMaker().add("l", type=SYMLINK, link=str(site.victim / "f"))
    site.unpack(tar.add("h", type=HARD_LINK, link="l").add("h2", type=HARD_LINK, link="h2x/../l"))
    assert os.readlink(site.root / "h") == str(site.victim / "f")


def test_hard_link_to_itself_changes_nothing(site: Site) -> None:
    site.unpack(TarMaker().add("f", b"1").add("f", type=HARD_LINK, link="f"))
    assert (site.root / "f").read_bytes() == b"1"


def test_later_members_replace_earlier_ones(site: Site) -> None:
    tar = TarMaker().add("a", b"1").add("h", type=HARD_LINK, link="a").add("a", b"2")
    tar.add("d/x/y", b"1").add("d", b"file").add("e", b"1").add("e", type=DIRECTORY).add(
        "e/f", b"2"
    )
    tar.add("l", type=SYMLINK, link=str(site.victim)).add("l", type=DIRECTORY).add("l/f", b"3")
    tar.add("k", type=DIRECTORY, mode=0o700).add("k/f").add("k", type=DIRECTORY, mode=0o711)
    site.unpack(tar.add("s", b"1").add("s", type=SYMLINK, link="a").add("s", type=FIFO))
    assert (site.root / "a").read_bytes() == b"2"
    assert (site.root / "h").read_bytes() == b"1"
    assert (site.root / "d").read_bytes() == b"file"
    assert (site.root / "e/f").read_bytes() == b"2"
    assert (site.root / "l/f").read_bytes() == b"3"
    assert (site.root / "k/f").exists()
    assert stat.S_IMODE((site.root / "k").stat().st_mode) == 0o711


def test_file_in_place_of_a_parent_is_refused(site: Site) -> None:
    with pytest.raises(TarError, match="a/b"):
        site.unpack(TarMaker().add("a", b"1").add("a/b", b"2"))


def test_parents_through_links_are_made_inside(site: Site) -> None:
    tar = TarMaker().add("x", type=SYMLINK, link="/var/lib/x").add("x/f", b"1")
    tar.add("loop", type=SYMLINK, link="loop")
    site.unpack(tar)
    assert (site.root / "var/lib/x/f").read_bytes() == b"1"
    with pytest.raises(TarError):
        site.unpack(TarMaker().add("loop/f"))


def test_whiteouts_become_marks_for_lower_layers_only(site: Site) -> None:
    tar = TarMaker().add("kept", b"1").add(".wh.kept").add("dir/f", b"1").add(".wh.dir")
    tar.add("a/.wh.gone").add(".wh.again").add("again", type=DIRECTORY).add(".wh.implied")
    tar.add("implied/f", b"1").add("o/f", b"1").add("o/.wh..wh..opq").add(".wh..wh.plnk/1", b"x")
    marks = site.unpack(tar.add(".wh.file").add("file", b"2")).whiteouts
    assert (site.root / "kept").read_bytes() == b"1"
    assert set(marks.opaque) == {b"dir", b"again", b"implied", b"o"}
    made = [
        path
        for path in marks.deleted
        if stat.S_ISCHR((site.root / os.fsdecode(path)).lstat().st_mode)
    ]
    assert made == [b"a/gone"]
    status = (site.root / "a/gone").lstat()
    assert stat.S_ISCHR(status.st_mode)
    assert status.st_rdev == 0
    assert not (site.root / ".wh..wh.plnk").exists()
    assert (site.root / "implied/f").read_bytes() == b"1"


def test_raw_overlay_whiteout_is_taken_for_one(site: Site) -> None:
    marks = site.unpack(TarMaker().add("x", type=CHARACTER, device=(0, 0))).whiteouts
    assert set(marks.deleted) == {b"x"}


def test_attributes_are_set(site: Site) -> None:
    pax = {"SCHILY.xattr.user.a": "b", "SCHILY.xattr.user.overlay.opaque": "y"}
    site.unpack(TarMaker().add("f", b"1", pax=pax).add("d", type=DIRECTORY, pax=pax))
    assert os.listxattr(site.root / "f") == ["user.a"]
    assert os.listxattr(site.root / "d") == ["user.a"]


def test_security_a3_entries_and_depth_are_limited(site: Site) -> None:
    with pytest.raises(TarError, match="more than 3"):
        site.unpack(TarMaker().add("a").add("b").add("c").add("d"), max_entries=3)
    with pytest.raises(TarError, match="more than 3"):
        site.unpack(TarMaker().add("1/2/3/4/5/6").add("x"), max_entries=3)
    with pytest.raises(TarError, match="name too long"):
        site.unpack(TarMaker().add("a/" * 1100 + "f"))


def test_security_a3_many_deep_entries_stay_linear(site: Site) -> None:
    deep = "d/" * 900
    tar = TarMaker()
    for number in range(3000):
        tar.add(f"{deep}{number}")
    site.unpack(tar)
    assert site.extraction.inodes == 3901


def test_huge_times_are_clamped(site: Site) -> None:
    site.unpack(TarMaker().add("f", mtime=10**15).add("g", mtime=-(10**15)))
    assert (site.root / "f").stat().st_mtime > 0


_NAMES = st.sampled_from(["a", "b", "a/b", "b/a", "a/b/c", "../x", ".wh.a", "a/.wh.b", "x/../../y"])
_TYPES = st.sampled_from([b"0", DIRECTORY, SYMLINK, HARD_LINK, FIFO])
_LINKS = st.sampled_from(["a", "/", "..", "../victim", "b/..", "a/b", "../../victim/f"])


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(_NAMES, _TYPES, _LINKS), max_size=12))
def test_security_a1_no_sequence_of_members_reaches_outside(
    tmp_path_factory: pytest.TempPathFactory, members: list[tuple[str, bytes, str]]
) -> None:
    site = Site(tmp_path_factory.mktemp("site"))
    tar = TarMaker()
    for name, type_, link in members:
        tar.add(name, type=type_, link=link if type_ in (SYMLINK, HARD_LINK) else "", mode=0o777)
    try:
        site.unpack(tar)
    except TarError:
        pass
    finally:
        site.close()
    site.assert_victim_unharmed()
