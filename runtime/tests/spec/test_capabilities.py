"""Capabilities: order of adding and dropping, limits of the host, names."""

from dataclasses import replace

import pytest

from runtime.errors import InvalidArgument
from runtime.records.security import Capabilities, ContainerSecurity
from runtime.spec import capabilities as caps
from runtime.spec.document import apply, object_at
from runtime.tests.spec.samples import CONTAINER, HOST, plain_request

DEFAULT = set(caps.DEFAULT_CAPABILITIES)
HELD = set(HOST.capabilities)


@pytest.mark.parametrize(
    ("wanted", "privileged", "held"),
    [
        (Capabilities(), False, DEFAULT),
        (Capabilities(add=("net_admin",)), False, DEFAULT | {"CAP_NET_ADMIN"}),
        (Capabilities(add=("CAP_NET_ADMIN", "NET_ADMIN")), False, DEFAULT | {"CAP_NET_ADMIN"}),
        (Capabilities(drop=("KILL",)), False, DEFAULT - {"CAP_KILL"}),
        (Capabilities(add=("KILL",), drop=("KILL",)), False, DEFAULT - {"CAP_KILL"}),
        (Capabilities(drop=("all",)), False, set()),
        (Capabilities(drop=("ALL",), add=("KILL",)), False, {"CAP_KILL"}),
        (Capabilities(add=("ALL",)), False, HELD),
        (Capabilities(add=("ALL",), drop=("KILL",)), False, HELD - {"CAP_KILL"}),
        (Capabilities(add=("ALL",), drop=("ALL",)), False, set()),
        (Capabilities(drop=("ALL",)), True, HELD),
        (Capabilities(drop=("KILL",)), True, HELD),
    ],
)
def test_sets_follow_the_order_of_both_runtimes(
    wanted: Capabilities, privileged: bool, held: set[str]
) -> None:
    sets = caps.capability_sets(wanted, privileged=privileged, host=HOST)
    assert set(sets.held) == held
    assert len(sets.held) == len(held)
    assert sets.ambient == ()


def test_missing_capability_is_left_out_with_a_note() -> None:
    security = ContainerSecurity(capabilities=Capabilities(add=("SYS_RESOURCE", "KILL")))
    request = plain_request(replace(CONTAINER, security=security))
    assert "CAP_SYS_RESOURCE" not in caps.capabilities_of(request).held
    assert caps.capability_notes(request) == (
        "capability CAP_SYS_RESOURCE was left out: the daemon does not hold it",
    )


@pytest.mark.parametrize(
    ("wanted", "ambient"),
    [
        (Capabilities(add_ambient=("NET_ADMIN",)), ("CAP_NET_ADMIN",)),
        (Capabilities(add_ambient=("SYS_RESOURCE",)), ()),
        (Capabilities(add_ambient=("KILL",), drop=("KILL",)), ()),
        (Capabilities(add_ambient=("ALL",)), HOST.capabilities),
    ],
)
def test_ambient_is_what_was_named_and_is_held(
    wanted: Capabilities, ambient: tuple[str, ...]
) -> None:
    sets = caps.capability_sets(wanted, privileged=False, host=HOST)
    assert sets.ambient == ambient
    assert set(ambient) <= set(sets.held)


@pytest.mark.parametrize("kind", ["add", "drop", "add_ambient"])
def test_unknown_name_is_refused_wherever_it_is(kind: str) -> None:
    wanted = replace(Capabilities(), **{kind: ("NO_SUCH",)})
    with pytest.raises(InvalidArgument, match="NO_SUCH"):
        caps.check_capabilities("container x", wanted, HOST)


def test_names_of_newer_kernels_are_known() -> None:
    host = replace(HOST, known_capabilities=(*HOST.known_capabilities, "CAP_FUTURE"))
    wanted = Capabilities(add=("FUTURE", "ALL"), drop=("checkpoint_restore",))
    caps.check_capabilities("container x", wanted, host)
    assert caps.capability_sets(wanted, privileged=False, host=host).missing == ("CAP_FUTURE",)


def test_container_without_ambient_has_no_inheritable_set() -> None:
    spec = apply({}, *caps.capability_options(plain_request()))
    sets = object_at(spec, "process", "capabilities")
    assert sorted(sets) == ["bounding", "effective", "permitted"]


def test_container_with_ambient_has_it_in_all_sets() -> None:
    security = ContainerSecurity(capabilities=Capabilities(drop=("ALL",), add_ambient=("KILL",)))
    spec = apply({}, *caps.capability_options(plain_request(replace(CONTAINER, security=security))))
    sets = object_at(spec, "process", "capabilities")
    names = ("bounding", "effective", "permitted", "inheritable", "ambient")
    assert sets == {name: ["CAP_KILL"] for name in names}


def test_adding_twice_gives_one_and_dropping_removes_duplicates() -> None:
    spec = apply(
        {"process": {"capabilities": {"inheritable": ["CAP_KILL", "CAP_KILL"]}}},
        caps.with_added_capabilities(("CAP_KILL",)),
        caps.with_added_capabilities(("kill", "CAP_CHOWN")),
    )
    sets = object_at(spec, "process", "capabilities")
    assert sets["bounding"] == sets["effective"] == sets["permitted"] == ["CAP_KILL", "CAP_CHOWN"]
    assert sets["inheritable"] == ["CAP_KILL", "CAP_KILL"]
    dropped = object_at(caps.with_dropped_capabilities(("KILL",))(spec), "process", "capabilities")
    assert dropped["inheritable"] == []
    assert dropped["bounding"] == ["CAP_CHOWN"]
    assert "ambient" not in dropped


def test_all_means_what_the_daemon_holds_and_all_known_what_the_kernel_knows() -> None:
    held = caps.with_all_capabilities(HOST)({})
    known = caps.with_all_known_capabilities(HOST)({})
    assert object_at(held, "process", "capabilities")["bounding"] == list(HOST.capabilities)
    assert object_at(known, "process", "capabilities")["bounding"] == list(caps.ALL_CAPABILITIES)
