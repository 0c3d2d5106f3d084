"""Mounts as the kernel tells them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.formats.mountinfo import cgroup_hierarchies, mount_points_below, parse_mountinfo

V1 = b"""25 30 0:22 / /sys rw,nosuid - sysfs sysfs rw
31 25 0:27 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:28 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct
33 31 0:29 / /sys/fs/cgroup/systemd rw - cgroup systemd rw,xattr,release_agent=/x,name=systemd
34 31 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate
35 31 0:28 / /other/cpu rw - cgroup cgroup rw,cpu,cpuacct
"""


def test_line_is_split_into_its_fields() -> None:
    line = (
        b"36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 shared:2 - ext3 /dev/root rw,errors=continue\n"
    )
    (entry,) = parse_mountinfo(line)
    assert (entry.mount_id, entry.parent_id, entry.device) == (36, 35, "98:0")
    assert (entry.root, entry.mount_point) == ("/mnt1", "/mnt2")
    assert entry.options == ("rw", "noatime")
    assert entry.propagation == ("master:1", "shared:2")
    assert (entry.filesystem, entry.source) == ("ext3", "/dev/root")
    assert entry.super_options == ("rw", "errors=continue")


def test_escaped_characters_are_restored() -> None:
    (entry,) = parse_mountinfo(rb"1 2 0:1 / /a\040b\134c\011 rw - tmpfs none rw")
    assert entry.mount_point == "/a b\\c\t"


def test_bytes_that_are_no_text_survive() -> None:
    (entry,) = parse_mountinfo(b"1 2 0:1 / /\xff rw - tmpfs none rw")
    assert entry.mount_point.encode("utf-8", "surrogateescape") == b"/\xff"


@pytest.mark.parametrize(
    "line", [b"garbage", b"1 2 0:1 / /a rw tmpfs none rw", b"x 2 0:1 / /a rw - tmpfs none rw"]
)
def test_other_lines_are_refused_and_quoted(line: bytes) -> None:
    with pytest.raises(ValueError, match=line.decode()[:6]):
        parse_mountinfo(line)


@given(st.binary(max_size=200))
def test_nothing_but_value_error_is_raised(text: bytes) -> None:
    try:
        parse_mountinfo(text)
    except ValueError:
        return


def test_mounts_below_a_directory_come_last_first_without_neighbours() -> None:
    lines = b"".join(
        b"1 2 0:1 / %b rw - tmpfs none rw\n" % place
        for place in (b"/run/x", b"/run/x/a", b"/run/xy", b"/run/x/a")
    )
    assert mount_points_below(parse_mountinfo(lines), "/run/x") == (
        "/run/x/a",
        "/run/x/a",
        "/run/x",
    )
    assert len(mount_points_below(parse_mountinfo(lines), "/")) == 4


def test_first_mount_of_each_hierarchy_is_found() -> None:
    assert cgroup_hierarchies(parse_mountinfo(V1)) == {
        "cpu": "/sys/fs/cgroup/cpu,cpuacct",
        "cpuacct": "/sys/fs/cgroup/cpu,cpuacct",
        "name=systemd": "/sys/fs/cgroup/systemd",
        "": "/sys/fs/cgroup/unified",
    }
