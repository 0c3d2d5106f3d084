"""What is wrong with a node is said with a remedy, and only what stops pods makes it unready."""

from dataclasses import replace

import pytest

from cri.startup_checks import (
    Finding,
    check_containers_root,
    check_handlers,
    check_known_faults,
    check_pause,
    check_rights,
    conditions,
)
from runtime.drivers.driver import DriverFeatures
from runtime.drivers.handler_choice import choose_default_handler
from runtime.drivers.pod_network import NetworkCondition
from runtime.spec.request import HostFacts

NEEDED = (
    "CAP_SYS_ADMIN",
    "CAP_NET_ADMIN",
    "CAP_CHOWN",
    "CAP_MKNOD",
    "CAP_SYS_CHROOT",
    "CAP_KILL",
)


def facts(*capabilities: str, can_lower: bool = True) -> HostFacts:
    return HostFacts(
        capabilities=capabilities,
        known_capabilities=capabilities,
        can_lower_oom_score=can_lower,
    )


def features(*, usable: bool, reason: str = "") -> DriverFeatures:
    return DriverFeatures(
        version="1",
        recursive_read_only_mounts=True,
        user_namespaces=True,
        mount_options=True,
        usable=usable,
        reason=reason,
    )


def test_root_with_its_capabilities_is_fine() -> None:
    assert check_rights(facts(*NEEDED), 0) == []


def test_another_user_and_missing_capabilities_stop_pods() -> None:
    found = check_rights(facts("CAP_KILL"), 1000)
    assert [one.reason for one in found] == ["NotRoot", "CapabilityMissing"]
    assert all(one.blocks for one in found)
    assert "uid 1000" in found[0].cause
    assert "CAP_SYS_ADMIN" in found[1].cause


def test_a_clamped_oom_score_is_told_and_stops_nothing() -> None:
    (found,) = check_rights(facts(*NEEDED, can_lower=False), 0)
    assert (found.reason, found.blocks) == ("OomScoreClamped", False)


def test_no_usable_handler_stops_pods() -> None:
    broken = {"crun": features(usable=False, reason="not installed")}
    (found,) = check_handlers(broken, choose_default_handler(broken))
    assert found.blocks
    assert "not installed" in found.cause


def test_one_broken_handler_beside_a_good_one_is_told() -> None:
    both = {"crun": features(usable=False, reason="hybrid"), "runc": features(usable=True)}
    (found,) = check_handlers(both, choose_default_handler(both))
    assert not found.blocks
    assert "hybrid" in found.cause
    assert "runc is the default" in found.remedy


@pytest.mark.parametrize(("executable", "reasons"), [(True, []), (False, ["PauseMissing"])])
def test_the_pause_program(executable: bool, reasons: list[str]) -> None:
    assert [one.reason for one in check_pause("/p", executable)] == reasons


def blocking(reason: str, cause: str) -> Finding:
    return Finding(reason=reason, cause=cause, remedy="mend it", blocks=True)


def test_conditions_tell_every_blocking_finding_and_the_network_as_it_is_now() -> None:
    network = [NetworkCondition(ready=False, reason="NetworkPluginNotReady", message="none")]
    ask = conditions([blocking("A", "a is bad"), blocking("B", "b is bad")], lambda: network[0])
    runtime_ready, network_ready = ask()
    assert (runtime_ready.type, runtime_ready.ready) == ("RuntimeReady", False)
    assert runtime_ready.reason == "A"
    assert runtime_ready.message == "a is bad; mend it [A]; b is bad; mend it [B]"
    assert (network_ready.type, network_ready.ready) == ("NetworkReady", False)
    assert (network_ready.reason, network_ready.message) == ("NetworkPluginNotReady", "none")
    network[0] = NetworkCondition(ready=True)
    assert [one.ready for one in ask()] == [False, True]


def test_findings_that_stop_nothing_leave_the_runtime_ready() -> None:
    finding = Finding(reason="X", cause="c", remedy="r", blocks=False)
    ready, _ = conditions([finding], lambda: NetworkCondition(ready=True))()
    assert ready.ready


def test_e4_a_handler_with_published_faults_is_told_and_stops_nothing() -> None:
    old = replace(features(usable=True), version="runc 1.2.8")
    (found,) = check_known_faults({"runc": old, "crun": features(usable=True)})
    assert (found.reason, found.blocks) == ("KnownFault", False)
    assert "CVE-2026-41579" in found.cause
    assert check_known_faults({"runc": replace(old, usable=False)}) == []


def test_a_place_for_writable_layers_must_carry_an_overlay() -> None:
    assert check_containers_root("/disk", "", 0) == []
    unusable, left = check_containers_root("/disk", "cannot be below an overlay mount", 3)
    assert (unusable.blocks, left.blocks) == (True, False)
    assert "/disk cannot be below" in str(unusable)
    assert "3 writable layers" in str(left)
