"""Devices: denied first, then what was asked for."""

from dataclasses import replace

import pytest

from runtime.records.security import ContainerSecurity
from runtime.spec import devices
from runtime.spec.document import Spec, apply, objects_at
from runtime.spec.platform_defaults import DENY_ALL_DEVICES
from runtime.spec.request import HandlerSettings, ResolvedDevice
from runtime.tests.spec.samples import CONTAINER, plain_request

FUSE = ResolvedDevice(path="/dev//fuse", type="c", major=10, minor=229, mode=0o100600, uid=1)
MUTE = ResolvedDevice(path="/dev/mute", type="u", major=1, minor=2, permissions="")
LOOP = ResolvedDevice(path="/dev/loop0", type="b", major=7, minor=0)
PTS = ResolvedDevice(path="/dev/pts/3", type="c", major=136, minor=3)


def _nodes(spec: Spec) -> list[object]:
    return [node["path"] for node in objects_at(spec, "linux", "devices")]


def _rules(spec: Spec) -> tuple[Spec, ...]:
    return objects_at(spec, "linux", "resources", "devices")


def test_asked_device_is_made_and_allowed() -> None:
    request = replace(plain_request(), devices=(FUSE, MUTE), host_devices=(LOOP,))
    spec = apply({}, *devices.device_options(request))
    assert objects_at(spec, "linux", "devices")[0] == {
        "path": "/dev/fuse",
        "type": "c",
        "major": 10,
        "minor": 229,
        "fileMode": 0o600,
        "uid": 1,
        "gid": 0,
    }
    assert _nodes(spec) == ["/dev/fuse", "/dev/mute"]
    assert _rules(spec) == (
        DENY_ALL_DEVICES,
        {"allow": True, "type": "c", "major": 10, "minor": 229, "access": "rwm"},
    )


def test_plain_container_has_one_rule_and_no_nodes() -> None:
    spec = apply({}, *devices.device_options(plain_request()))
    assert _rules(spec) == (DENY_ALL_DEVICES,)
    assert _nodes(spec) == []


@pytest.mark.parametrize(
    ("handler", "nodes", "all_allowed"),
    [
        (HandlerSettings(), ["/dev/loop0", "/dev/fuse"], True),
        (HandlerSettings(privileged_without_host_devices=True), ["/dev/fuse"], False),
        (
            HandlerSettings(
                privileged_without_host_devices=True,
                privileged_without_host_devices_all_devices_allowed=True,
            ),
            ["/dev/fuse"],
            True,
        ),
    ],
)
def test_privileged_container_gets_the_hosts_devices_unless_the_handler_forbids(
    handler: HandlerSettings, nodes: list[object], all_allowed: bool
) -> None:
    container = replace(CONTAINER, security=ContainerSecurity(privileged=True))
    request = replace(
        plain_request(container), handler=handler, devices=(FUSE,), host_devices=(LOOP, PTS)
    )
    spec = apply({}, *devices.device_options(request))
    assert _nodes(spec) == nodes
    assert (_rules(spec) == (devices.ALLOW_ALL_DEVICES,)) is all_allowed


def test_general_options() -> None:
    spec = apply(
        {},
        devices.with_allowed_devices((FUSE, MUTE)),
        devices.with_devices((replace(FUSE, uid=9),)),
        devices.with_device_rule(allow=True, type="c", major=1, access="r"),
        devices.with_device_rule(allow=False, access="w"),
    )
    assert [(n["path"], n["uid"]) for n in objects_at(spec, "linux", "devices")] == [
        ("/dev/mute", 0),
        ("/dev/fuse", 9),
    ]
    assert _rules(spec)[1:] == (
        {"allow": True, "type": "c", "major": 1, "access": "r"},
        {"allow": False, "type": "a", "access": "w"},
    )
    assert _rules(devices.with_all_devices_allowed()(spec)) == (devices.ALLOW_ALL_DEVICES,)


def test_unbuffered_device_is_a_character_device_to_the_cgroup() -> None:
    spec = devices.with_allowed_devices((replace(MUTE, permissions="r"),))({})
    assert _rules(spec)[0]["type"] == "c"
