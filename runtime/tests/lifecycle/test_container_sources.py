"""What a request names on the host."""

from dataclasses import replace
from pathlib import Path

import pytest

from runtime.errors import InvalidArgument, Unavailable
from runtime.host.host import DeviceNode, ResolvedSource
from runtime.lifecycle.container_sources import (
    all_host_devices,
    localhost_seccomp,
    resolve_devices,
    resolve_mounts,
)
from runtime.records.container import ContainerConfig, ContainerRecord, Device, Mount
from runtime.records.security import ProfileKind, SecurityProfile
from runtime.spec.request import HandlerSettings
from runtime.tests.lifecycle.rig import Rig, container_config
from runtime.tests.store.sample_rows import container


def asking(config: ContainerConfig) -> ContainerRecord:
    return replace(container(), config=config, handler="crun")


def node_of(path: str) -> DeviceNode:
    return DeviceNode(path=path, kind="c", major=1, minor=3, mode=0o20660, uid=0, gid=5)


async def test_sources_are_followed_and_missing_ones_made(rig: Rig) -> None:
    rig.host.sources["/link"] = ResolvedSource(path="/real", is_directory=True)
    mounts = (
        Mount(container_path="/a", host_path="/link"),
        Mount(container_path="/b", host_path="/new"),
    )
    found = await resolve_mounts(rig.node, asking(container_config(mounts=mounts)))
    assert [(one.mount, one.source) for one in found] == [(mounts[0], "/real"), (mounts[1], "/new")]
    assert rig.host.sources["/new"].is_directory


async def test_a_path_that_does_not_answer_is_told(rig: Rig) -> None:
    rig.host.fail("resolve_source", Unavailable("/mnt/nfs", "does not answer"))
    pod = await rig.pod()
    mounts = (Mount(container_path="/a", host_path="/mnt/nfs"),)
    with pytest.raises(Unavailable, match="create default/web/app: /mnt/nfs: does not answer"):
        await rig.container(pod, container_config(mounts=mounts))


async def test_devices_are_found_renamed_and_walked(rig: Rig) -> None:
    for path in ("/dev/null", "/dev/snd/a", "/dev/snd/b"):
        rig.host.device_nodes[path] = node_of(path)
    devices = (
        Device(host_path="/dev/null", container_path="/dev/nothing", permissions="r"),
        Device(host_path="/dev/snd", container_path="/dev/sound"),
    )
    found = await resolve_devices(rig.node, asking(container_config(devices=devices)))
    assert [(one.path, one.permissions) for one in found] == [
        ("/dev/nothing", "r"),
        ("/dev/sound/a", "rwm"),
        ("/dev/sound/b", "rwm"),
    ]
    assert found[0].mode == 0o660


async def test_all_devices_are_for_privileged_containers_alone(rig: Rig) -> None:
    rig.host.device_nodes["/dev/null"] = node_of("/dev/null")
    config = container_config()
    assert await all_host_devices(rig.node, asking(config)) == ()
    privileged = asking(replace(config, security=replace(config.security, privileged=True)))
    assert [one.path for one in await all_host_devices(rig.node, privileged)] == ["/dev/null"]
    rig.node.handler_settings = {
        "crun": HandlerSettings(name="crun", privileged_without_host_devices=True)
    }
    assert await all_host_devices(rig.node, privileged) == ()


@pytest.mark.parametrize(
    ("ref", "content", "problem"),
    [
        ("/p.json", b"{}", ""),
        ("/p.json", None, "does not exist"),
        ("/p.json", b"\xff", "is no text"),
        ("p.json", b"{}", "no absolute path"),
        ("", b"{}", "no absolute path"),
    ],
)
async def test_a_named_seccomp_profile_is_read_or_refused(
    rig: Rig, ref: str, content: bytes | None, problem: str
) -> None:
    if content is not None:
        rig.host.files[Path("/p.json")] = content
    profile = SecurityProfile(kind=ProfileKind.LOCALHOST, localhost_ref=ref)
    config = container_config()
    record = asking(replace(config, security=replace(config.security, seccomp=profile)))
    if not problem:
        assert await localhost_seccomp(rig.node, record) == "{}"
        return
    with pytest.raises(InvalidArgument, match=problem):
        await localhost_seccomp(rig.node, record)


async def test_without_a_named_profile_nothing_is_read(rig: Rig) -> None:
    assert await localhost_seccomp(rig.node, asking(container_config())) is None
    assert rig.host.called("read_below") == []
