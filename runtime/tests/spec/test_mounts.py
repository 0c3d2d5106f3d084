"""Mounts: what replaces what, in which order, with which options."""

from dataclasses import replace

import pytest

from runtime.records.container import Mount, MountPropagation
from runtime.records.security import ContainerSecurity, IdMapping, UserNamespace
from runtime.spec import mounts
from runtime.spec.document import Spec, apply, object_at, texts_at
from runtime.spec.platform_defaults import default_spec
from runtime.spec.request import (
    HandlerSettings,
    NamespacePaths,
    PodFiles,
    ResolvedMount,
    ResolvedVolume,
    SpecRequest,
)
from runtime.tests.spec.samples import (
    ABLE,
    CONTAINER,
    MAPPED_POD,
    MAPPING,
    plain_request,
)

SHM = "/dev/shm"
FILES = PodFiles(hostname="/p/hostname", resolv_conf="/p/resolv", hosts="/p/hosts", shm="/p/shm")
SLAVE, SHARED = MountPropagation.HOST_TO_CONTAINER, MountPropagation.BIDIRECTIONAL
MAPPED_JSON = [{"containerID": 0, "hostID": 100000, "size": 65536}]


def _with_mounts(*wanted: Mount) -> SpecRequest:
    request = plain_request(replace(CONTAINER, mounts=wanted))
    resolved = tuple(ResolvedMount(mount=m, source=m.host_path or "/view") for m in wanted)
    return replace(request, mounts=resolved, pod_files=FILES)


def _places(request: SpecRequest) -> list[str]:
    return [str(mount["destination"]) for mount in mounts.container_mounts(request)]


def _at(request: SpecRequest, place: str) -> Spec:
    return mounts.mount_at({"mounts": list(mounts.container_mounts(request))}, place)


@pytest.mark.parametrize(
    ("mount", "options"),
    [
        (Mount(container_path="/m", host_path="/h"), "rbind rprivate rw"),
        (Mount(container_path="/m", host_path="/h", readonly=True), "rbind rprivate ro"),
        (
            Mount(container_path="/m", host_path="/h", readonly=True, recursive_read_only=True),
            "rbind rprivate rro",
        ),
        (Mount(container_path="/m", host_path="/h", propagation=SLAVE), "rbind rslave rw"),
        (Mount(container_path="/m", host_path="/h", propagation=SHARED), "rbind rshared rw"),
        (
            Mount(container_path="/m", host_path="/h", mount_options=("noexec", "nodev")),
            "rbind rprivate rw noexec nodev",
        ),
    ],
)
def test_asked_mount_has_its_options(mount: Mount, options: str) -> None:
    found = _at(_with_mounts(mount), "/m")
    assert texts_at(found, "options") == tuple(options.split())
    assert found["source"] == "/h"


def test_mounts_come_sorted_by_depth_after_our_own() -> None:
    request = _with_mounts(
        Mount(container_path="/b/c/d", host_path="/h"),
        Mount(container_path="/b//", host_path="/h"),
        Mount(container_path="/a/x", host_path="/h"),
    )
    assert _places(request)[-3:] == ["/b", "/a/x", "/b/c/d"]
    assert _places(request)[7:-3] == ["/etc/hostname", "/etc/hosts", "/etc/resolv.conf", SHM]


@pytest.mark.parametrize(
    ("place", "gone"),
    [
        ("/etc/hosts", {"/etc/hosts"}),
        ("/dev", {"/dev", "/dev/pts", "/dev/mqueue", SHM}),
        (SHM, {SHM}),
        ("/sys", {"/sys", "/sys/fs/cgroup"}),
        ("/etc", {"/etc/hosts", "/etc/hostname", "/etc/resolv.conf"}),
        ("/sys/fs", {"/sys/fs/cgroup"}),
        ("/devices", set()),
    ],
)
def test_asked_mount_at_or_above_replaces_ours(place: str, gone: set[str]) -> None:
    before = _places(_with_mounts())
    after = _places(_with_mounts(Mount(container_path=place, host_path="/h")))
    assert after == [*(other for other in before if other not in gone), place]


def test_pod_files_are_read_only_below_a_read_only_root_but_shm_is_not() -> None:
    security = ContainerSecurity(readonly_rootfs=True)
    request = replace(plain_request(replace(CONTAINER, security=security)), pod_files=FILES)
    assert texts_at(_at(request, "/etc/hosts"), "options")[-1] == "ro"
    assert texts_at(_at(request, SHM), "options")[-1] == "rw"
    assert texts_at(_at(_with_mounts(), "/etc/hosts"), "options")[-1] == "rw"


def test_volume_of_the_image_yields_to_an_asked_mount_of_the_same_place() -> None:
    request = replace(
        _with_mounts(Mount(container_path="/data", host_path="/h")),
        volumes=(
            ResolvedVolume(container_path="/data", source="/v1"),
            ResolvedVolume(container_path="/data/sub", source="/v2"),
        ),
    )
    assert _places(request)[-2:] == ["/data", "/data/sub"]
    assert _at(request, "/data")["source"] == "/h"


def test_image_volume_is_bound_from_its_view_without_mappings() -> None:
    mount = Mount(
        container_path="/m", image="i", readonly=True, uid_mappings=(MAPPING,), gid_mappings=()
    )
    assert _at(_with_mounts(mount), "/m") == {
        "destination": "/m",
        "type": "bind",
        "source": "/view",
        "options": ["rbind", "rprivate", "ro"],
    }


def test_asked_mappings_are_passed_on() -> None:
    mount = Mount(
        container_path="/m", host_path="/h", uid_mappings=(MAPPING,), gid_mappings=(MAPPING,)
    )
    found = _at(_with_mounts(mount), "/m")
    assert found["uidMappings"] == found["gidMappings"] == MAPPED_JSON


@pytest.mark.parametrize(
    ("privileged", "writable", "sys", "cgroup"),
    [
        (False, False, "ro", "ro"),
        (True, False, "rw", "rw"),
        (False, True, "ro", "rw"),
    ],
)
def test_kernel_mounts_are_writable_when_privileged(
    privileged: bool, writable: bool, sys: str, cgroup: str
) -> None:
    security = ContainerSecurity(privileged=privileged)
    request = replace(
        plain_request(replace(CONTAINER, security=security)),
        handler=HandlerSettings(cgroup_writable=writable),
    )
    assert texts_at(_at(request, "/sys"), "options")[-1] == sys
    assert texts_at(_at(request, "/sys/fs/cgroup"), "options")[-1] == cgroup


def test_user_namespace_maps_our_files_and_binds_what_belongs_to_the_host() -> None:
    namespaces = NamespacePaths(user="/ns/user", host_network=True, host_ipc=True, host_pid=True)
    request = replace(
        plain_request(sandbox=MAPPED_POD),
        namespaces=namespaces,
        pod_files=FILES,
        features=ABLE,
        volumes=(ResolvedVolume(container_path="/v", source="/v1"),),
    )
    assert texts_at(_at(request, "/sys"), "options")[-1] == "rro"
    assert _at(request, "/proc")["type"] == _at(request, "/dev/mqueue")["type"] == "bind"
    assert _at(request, "/etc/hosts")["uidMappings"] == MAPPED_JSON
    assert _at(request, "/v")["gidMappings"] == MAPPED_JSON
    assert "uidMappings" not in _at(request, SHM)
    assert "gid=5" in texts_at(_at(request, "/dev/pts"), "options")


def test_user_namespace_with_own_namespaces_mounts_afresh() -> None:
    tiny = IdMapping(container_id=0, host_id=9, length=2)
    linux = MAPPED_POD.linux
    userns = UserNamespace(mode=linux.security.namespaces.pid, uids=(tiny,), gids=(tiny,))
    spaces = replace(linux.security.namespaces, userns=userns)
    pod = replace(
        MAPPED_POD, linux=replace(linux, security=replace(linux.security, namespaces=spaces))
    )
    request = replace(plain_request(sandbox=pod), namespaces=NamespacePaths(user="/ns/user"))
    assert _at(request, "/sys")["type"] == "sysfs"
    assert "gid=5" not in texts_at(_at(request, "/dev/pts"), "options")


@pytest.mark.parametrize(
    ("kinds", "propagation"),
    [((), None), ((SLAVE,), "rslave"), ((SLAVE, SHARED), "rshared")],
)
def test_propagation_of_the_root_is_raised(
    kinds: tuple[MountPropagation, ...], propagation: str | None
) -> None:
    wanted = [Mount(container_path="/m", host_path="/h", propagation=kind) for kind in kinds]
    spec = apply({}, *mounts.mount_options(_with_mounts(*wanted)))
    assert object_at(spec, "linux").get("rootfsPropagation") == propagation


def test_general_options() -> None:
    start = default_spec("linux", "linux")
    bigger = apply(start, mounts.with_shm_size(1024), mounts.with_shm_size(2048))
    options = texts_at(mounts.mount_at(bigger, SHM), "options")
    assert [o for o in options if o.startswith("size=")] == ["size=2048k"]
    assert mounts.mount_at(start, SHM)["options"] != mounts.mount_at(bigger, SHM)["options"]
    less = mounts.without_mounts([SHM, "/none"])(start)
    assert mounts.mount_at(less, SHM) == {}
    assert mounts.without_mounts(["/none"])(start) is start
    hosts = mounts.with_host_files()(start)
    assert mounts.mount_at(hosts, "/etc/resolv.conf")["options"] == ["rbind", "ro"]
    assert mounts.mount_at(mounts.with_host_files("/x")(start), "/x")["source"] == "/x"
