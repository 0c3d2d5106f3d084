"""Profile files in docker's and the OCI's form."""

import json
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import InvalidArgument
from runtime.spec.document import JsonValue, Spec, texts_at
from runtime.spec.seccomp.localhost_profile import MAX_PROFILE, ProfileContext, localhost_profile

CONTEXT = ProfileContext(
    architectures=("SCMP_ARCH_X86_64", "SCMP_ARCH_X86"),
    capabilities=frozenset({"CAP_SYS_ADMIN"}),
    kernel_release="6.1.0-18-amd64",
)


def _read(profile: JsonValue, context: ProfileContext = CONTEXT) -> Spec:
    return localhost_profile(json.dumps(profile), context)


def _with_rule(**rule: JsonValue) -> JsonValue:
    full: JsonValue = {"names": ["read"], "action": "SCMP_ACT_ALLOW", **rule}
    return {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [full]}


def test_oci_profile_is_taken_as_it_is() -> None:
    rule: Spec = {
        "names": ["clone"],
        "action": "SCMP_ACT_ERRNO",
        "errnoRet": 1,
        "args": [
            {"index": 0, "value": 5, "op": "SCMP_CMP_MASKED_EQ", "valueTwo": 1},
            {"index": 1, "value": 0, "op": "SCMP_CMP_EQ"},
        ],
    }
    profile: Spec = {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": 38,
        "architectures": ["SCMP_ARCH_ARM"],
        "flags": ["SECCOMP_FILTER_FLAG_LOG"],
        "syscalls": [rule],
    }
    assert _read(profile) == profile


@pytest.mark.parametrize("extra", [{}, {"syscalls": None}, {"syscalls": [], "archMap": None}])
def test_profile_without_rules_is_for_the_hosts_architectures(extra: dict[str, JsonValue]) -> None:
    assert _read({"defaultAction": "SCMP_ACT_LOG", **extra}) == {
        "defaultAction": "SCMP_ACT_LOG",
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
        "syscalls": [],
    }


@pytest.mark.parametrize(
    ("architecture", "found"),
    [
        ("SCMP_ARCH_X86_64", ("SCMP_ARCH_X86_64", "SCMP_ARCH_X32")),
        ("SCMP_ARCH_ARM", ("SCMP_ARCH_X86_64",)),
    ],
)
def test_architecture_map_is_looked_up_for_this_host(
    architecture: str, found: tuple[str, ...]
) -> None:
    entry: JsonValue = {"architecture": architecture, "subArchitectures": ["SCMP_ARCH_X32"]}
    profile = _read({"defaultAction": "SCMP_ACT_LOG", "archMap": [entry]})
    assert texts_at(profile, "architectures") == found


def test_unknown_host_keeps_the_runtimes_own_choice() -> None:
    nowhere = replace(CONTEXT, architectures=())
    assert texts_at(_read(_with_rule(), nowhere), "architectures") == ()
    entry: JsonValue = {"architecture": "SCMP_ARCH_ARM"}
    mapped = _read({"defaultAction": "SCMP_ACT_LOG", "archMap": [entry]}, nowhere)
    assert texts_at(mapped, "architectures") == ()


@pytest.mark.parametrize(
    ("conditions", "holds"),
    [
        ({}, True),
        ({"includes": None, "excludes": {}}, True),
        ({"includes": {"caps": ["CAP_SYS_ADMIN"]}}, True),
        ({"includes": {"caps": ["CAP_BPF", "CAP_SYS_ADMIN"]}}, False),
        ({"excludes": {"caps": ["CAP_SYS_ADMIN"]}}, False),
        ({"excludes": {"caps": ["CAP_BPF"]}}, True),
        ({"includes": {"arches": ["amd64", "x32"]}}, True),
        ({"includes": {"arches": ["s390x"]}}, False),
        ({"excludes": {"arches": ["amd64"]}}, False),
        ({"excludes": {"arches": ["s390x"]}}, True),
        ({"includes": {"minKernel": "4.8"}}, True),
        ({"includes": {"minKernel": "6.2"}}, False),
        ({"includes": {"minKernel": ""}}, True),
        ({"excludes": {"minKernel": "4.8"}}, False),
        ({"excludes": {"minKernel": "6.2"}}, True),
        ({"includes": {"minKernel": "nonsense"}}, True),
    ],
)
def test_rule_holds_only_under_its_conditions(
    conditions: dict[str, JsonValue], holds: bool
) -> None:
    rules = _read(_with_rule(**conditions))["syscalls"]
    assert bool(rules) is holds


def test_old_form_with_one_name_is_understood() -> None:
    profile = _read(_with_rule(names=None, name="read", comment="old", args=[]))
    assert profile["syscalls"] == [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}]


@pytest.mark.parametrize(
    "profile",
    [
        [],
        {},
        {"defaultAction": "SCMP_ACT_NOTIFY"},
        {"defaultAction": "SCMP_ACT_LOG", "listenerPath": "/x"},
        {"defaultAction": "SCMP_ACT_LOG", "defaultErrnoRet": -1},
        {"defaultAction": "SCMP_ACT_LOG", "flags": ["X"]},
        {"defaultAction": "SCMP_ACT_LOG", "syscalls": {}},
        {"defaultAction": "SCMP_ACT_LOG", "syscalls": ["read"]},
        {
            "defaultAction": "SCMP_ACT_LOG",
            "architectures": ["SCMP_ARCH_X86"],
            "archMap": [{"architecture": "SCMP_ARCH_X86"}],
        },
        _with_rule(names=[]),
        _with_rule(action="allow"),
        _with_rule(errnoRet=True),
        _with_rule(args=[{"index": 0, "value": 2**64, "op": "SCMP_CMP_EQ"}]),
        _with_rule(args=[{"index": 0, "value": 1, "op": "EQ"}]),
        _with_rule(args=[{"index": 0, "value": 1, "op": "SCMP_CMP_EQ", "valueThree": 1}]),
        _with_rule(args="none"),
        _with_rule(includes={"kernel": "4"}),
        _with_rule(onlyIf="x"),
    ],
)
def test_what_is_not_understood_is_refused(profile: JsonValue) -> None:
    with pytest.raises(InvalidArgument, match="BadSeccompProfile"):
        _read(profile)


@pytest.mark.parametrize("text", ["", "{", "[" * 100000, " " * (MAX_PROFILE + 1)])
def test_text_that_is_no_profile_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument, match="BadSeccompProfile"):
        localhost_profile(text, CONTEXT)


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["defaultAction", "syscalls", "names", "args", "includes", "caps"]),
                inner,
                max_size=4,
            )
        ),
        max_leaves=10,
    )
)
def test_any_document_is_read_or_refused(document: JsonValue) -> None:
    if isinstance(document, dict):
        document = {"defaultAction": "SCMP_ACT_LOG", **document}
    with suppress(InvalidArgument):
        assert _read(document)["architectures"]
