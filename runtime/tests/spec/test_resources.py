"""Cgroup limits: only what is set, and what the host has controllers for."""

from dataclasses import replace

import pytest

from runtime.records.resources import HugepageLimit, LinuxResources
from runtime.spec import resources
from runtime.spec.compose import generate_spec
from runtime.spec.document import Spec, apply, object_at, value_at
from runtime.spec.request import HandlerSettings
from runtime.tests.spec.samples import CONTAINER, HOST, plain_request

PAGES = HugepageLimit(page_size="2MB", limit_bytes=0)
V1 = replace(HOST, cgroup_version=1, cgroup_controllers=("memory",), swap_accounting=False)
EVERYTHING = LinuxResources(
    cpu_period_us=100000,
    cpu_quota_us=-1,
    cpu_shares=512,
    memory_limit_bytes=64,
    memory_swap_limit_bytes=128,
    cpuset_cpus="0-1",
    cpuset_mems="0",
    hugepage_limits=(PAGES,),
    unified=(("memory.high", "50"),),
    pids_limit=10,
)


@pytest.mark.parametrize(
    ("wanted", "document"),
    [
        (LinuxResources(), {}),
        (LinuxResources(memory_limit_bytes=5), {"memory": {"limit": 5, "swap": 5}}),
        (LinuxResources(memory_limit_bytes=-1), {"memory": {"limit": -1, "swap": -1}}),
        (
            EVERYTHING,
            {
                "cpu": {
                    "shares": 512,
                    "quota": -1,
                    "period": 100000,
                    "cpus": "0-1",
                    "mems": "0",
                },
                "memory": {"limit": 64, "swap": 128},
                "pids": {"limit": 10},
                "hugepageLimits": [{"pageSize": "2MB", "limit": 0}],
                "unified": {"memory.high": "50"},
            },
        ),
    ],
)
def test_only_what_is_set_is_written(wanted: LinuxResources, document: Spec) -> None:
    assert resources.resources_document(wanted, HOST) == document


def test_document_of_applicable_limits_asks_for_nothing_more() -> None:
    assert resources.limits_document(LinuxResources()) == {}
    assert resources.limits_document(LinuxResources(memory_limit_bytes=5)) == {
        "memory": {"limit": 5}
    }


def test_limits_without_a_controller_are_not_applicable() -> None:
    found = resources.applicable_limits(EVERYTHING, V1)
    assert (found.hugepage_limits, found.unified, found.memory_swap_limit_bytes) == ((), (), 0)
    assert (found.cpu_shares, found.memory_limit_bytes) == (512, 64)


def test_what_the_host_cannot_limit_is_left_out_with_a_note() -> None:
    document = resources.resources_document(EVERYTHING, V1)
    assert document["memory"] == {"limit": 64}
    assert "hugepageLimits" not in document
    assert "unified" not in document
    request = replace(plain_request(replace(CONTAINER, resources=EVERYTHING)), host=V1)
    assert len(resources.resource_notes(request)) == 2
    assert resources.resource_notes(replace(request, host=HOST)) == ()


@pytest.mark.parametrize(("own", "handler", "limit"), [(0, 0, None), (0, 7, 7), (5, 7, 5)])
def test_pids_limit_falls_back_to_the_handlers(own: int, handler: int, limit: int | None) -> None:
    container = replace(CONTAINER, resources=LinuxResources(pids_limit=own))
    request = replace(
        plain_request(container), handler=HandlerSettings(pids_limit=handler), cgroups_path="/a"
    )
    spec = apply({}, *resources.resource_options(request))
    assert value_at(spec, "linux", "resources", "pids", "limit") == limit
    assert value_at(spec, "linux", "cgroupsPath") == "/a"


def test_without_limits_and_path_nothing_is_written() -> None:
    assert apply({}, *resources.resource_options(plain_request())) == {}


@pytest.mark.parametrize(
    ("platform", "host", "sections"),
    [
        ("linux", "linux", ("linux",)),
        ("windows", "windows", ("windows",)),
        ("linux", "windows", ("linux", "windows")),
    ],
)
def test_memory_limit_goes_to_each_platform_section(
    platform: str, host: str, sections: tuple[str, ...]
) -> None:
    spec = generate_spec(platform, resources.with_memory_limit(7), host=host)
    for section in ("linux", "windows"):
        found = value_at(spec, section, "resources", "memory", "limit")
        assert found == (7 if section in sections else None)
        assert (section in spec) == (section in sections)


def test_general_options() -> None:
    spec = apply(
        {},
        resources.with_memory_swap(1),
        resources.with_cpu_shares(2),
        resources.with_cpu_quota(3, 4),
        resources.with_cpuset(cpus="0", mems="1"),
        resources.with_cpuset(),
        resources.with_pids_limit(5),
        resources.with_hugepage_limits((PAGES,)),
        resources.with_block_io({"weight": 6}),
        resources.with_rdt({"closID": "x"}),
        resources.with_unified({"memory.high": "7"}),
        resources.with_parent_cgroup("/parent/", "id"),
        resources.with_resources(LinuxResources(cpu_shares=8), HOST),
    )
    assert object_at(spec, "linux") == {
        "resources": {
            "memory": {"swap": 1},
            "cpu": {"shares": 8},
            "pids": {"limit": 5},
            "hugepageLimits": [{"pageSize": "2MB", "limit": 0}],
            "blockIO": {"weight": 6},
            "unified": {"memory.high": "7"},
        },
        "intelRdt": {"closID": "x"},
        "cgroupsPath": "/parent/id",
    }
