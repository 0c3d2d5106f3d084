"""Tests of the update document."""

from runtime.drivers.resource_document import resources_document
from runtime.records.resources import HugepageLimit, LinuxResources


def test_nothing_set_is_an_empty_document() -> None:
    assert resources_document(LinuxResources()) == {}


def test_only_what_is_set_is_named() -> None:
    assert resources_document(LinuxResources(cpu_shares=2, cpuset_cpus="0-1")) == {
        "cpu": {"shares": 2, "cpus": "0-1"}
    }


def test_everything() -> None:
    resources = LinuxResources(
        cpu_period_us=100_000,
        cpu_quota_us=-1,
        memory_limit_bytes=5,
        memory_swap_limit_bytes=6,
        cpuset_mems="0",
        hugepage_limits=(HugepageLimit(page_size="2MB", limit_bytes=7),),
        unified=(("memory.high", "8"),),
        pids_limit=9,
    )
    assert resources_document(resources) == {
        "cpu": {"quota": -1, "period": 100_000, "mems": "0"},
        "memory": {"limit": 5, "swap": 6},
        "pids": {"limit": 9},
        "hugepageLimits": [{"pageSize": "2MB", "limit": 7}],
        "unified": {"memory.high": "8"},
    }
