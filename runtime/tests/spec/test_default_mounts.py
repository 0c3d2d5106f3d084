"""Default mounts as both runtimes have them."""

from runtime.spec import default_mounts as mounts
from runtime.spec.document import texts_at


def test_default_mounts_come_in_order_with_their_options() -> None:
    found = {str(m["destination"]): texts_at(m, "options") for m in mounts.default_mounts()}
    assert list(found) == [
        "/proc",
        "/dev",
        "/dev/pts",
        "/dev/mqueue",
        "/dev/shm",
        "/sys",
        "/sys/fs/cgroup",
    ]
    assert found["/proc"] == ("nosuid", "noexec", "nodev")
    assert found["/dev/pts"][-1] == "gid=5"
    assert found["/sys"][-1] == "ro"
    assert found["/sys/fs/cgroup"][-2:] == ("relatime", "ro")


def test_privileged_and_mapped_containers_differ() -> None:
    made = mounts.default_mounts(sys_readonly=False, cgroup_readonly=False, tty_group=False)
    found = {str(m["destination"]): texts_at(m, "options") for m in made}
    assert found["/sys"][-1] == "rw"
    assert found["/sys/fs/cgroup"][-1] == "rw"
    assert "gid=5" not in found["/dev/pts"]


def test_host_binds_are_read_only_as_far_as_the_runtime_can() -> None:
    assert mounts.host_bind("/sys", recursive_read_only=True)["options"] == [
        *("rbind", "nosuid", "noexec", "nodev", "rro")
    ]
    assert texts_at(mounts.host_bind("/sys", recursive_read_only=False), "options")[-1] == "ro"
    assert mounts.writable_host_bind("/proc")["source"] == "/proc"


def test_terminal_group_must_be_mapped() -> None:
    assert mounts.terminal_group_is_mapped(((0, 65536),))
    assert not mounts.terminal_group_is_mapped(((0, 5),))
    assert not mounts.terminal_group_is_mapped(())
