"""Differences are told by name, never by value."""

from dataclasses import replace

import pytest

from runtime.records.container import ContainerConfig, ContainerMetadata
from runtime.records.differences import differing_fields
from runtime.records.resources import LinuxResources
from runtime.records.sandbox import DnsConfig, SandboxConfig, SandboxMetadata

CONFIG = ContainerConfig(metadata=ContainerMetadata(name="c"), image="i")
POD = SandboxConfig(metadata=SandboxMetadata(name="n", namespace="s", uid="u"))


def test_equal_records_have_no_differences() -> None:
    assert differing_fields(CONFIG, replace(CONFIG)) == ()


def test_nested_fields_have_dotted_names_in_order() -> None:
    other = replace(
        CONFIG,
        metadata=ContainerMetadata(name="c", attempt=1),
        envs=(("PASSWORD", "secret"),),
        resources=LinuxResources(cpu_shares=1, cpuset_cpus="0"),
    )
    assert differing_fields(CONFIG, other) == (
        "metadata.attempt",
        "envs",
        "resources.cpu_shares",
        "resources.cpuset_cpus",
    )


def test_absent_record_differs_as_a_whole() -> None:
    assert differing_fields(POD, replace(POD, dns=DnsConfig())) == ("dns",)


@pytest.mark.parametrize(("a", "b"), [(CONFIG, POD), (1, 1)])
def test_records_of_different_kinds_cannot_be_compared(a: object, b: object) -> None:
    with pytest.raises(TypeError, match="cannot compare"):
        differing_fields(a, b)
