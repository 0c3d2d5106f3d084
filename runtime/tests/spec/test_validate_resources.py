"""Resource limits that cannot be."""

from dataclasses import replace

import pytest

from runtime.errors import InvalidArgument
from runtime.records.resources import HugepageLimit, LinuxResources
from runtime.spec.validate_resources import check_cpu_list, check_resources
from runtime.tests.spec.samples import HOST

MIB = 1024 * 1024


@pytest.mark.parametrize(
    "good",
    [
        LinuxResources(),
        LinuxResources(cpu_quota_us=-1, memory_limit_bytes=-1, memory_swap_limit_bytes=-1),
        LinuxResources(memory_limit_bytes=15 * MIB, memory_swap_limit_bytes=15 * MIB),
        LinuxResources(memory_limit_bytes=MIB, memory_swap_limit_bytes=-1),
        LinuxResources(oom_score_adj=-1000, pids_limit=-1, cpuset_cpus="0-3,5", cpuset_mems="0"),
        LinuxResources(hugepage_limits=(HugepageLimit(page_size="2MB", limit_bytes=0),)),
        LinuxResources(unified=(("memory.high", "max"), ("hugetlb.2MB.max", "0"))),
    ],
)
def test_usable_limits_pass(good: LinuxResources) -> None:
    check_resources("container x", good, HOST)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (LinuxResources(cpu_period_us=-1), "NegativeLimit"),
        (LinuxResources(cpu_quota_us=-2), "NegativeLimit"),
        (LinuxResources(cpu_shares=-1), "NegativeLimit"),
        (LinuxResources(memory_limit_bytes=-2), "NegativeLimit"),
        (LinuxResources(memory_swap_limit_bytes=-2), "NegativeLimit"),
        (LinuxResources(pids_limit=-2), "NegativeLimit"),
        (LinuxResources(oom_score_adj=1001), "BadOomScore"),
        (LinuxResources(oom_score_adj=-1001), "BadOomScore"),
        (LinuxResources(memory_limit_bytes=1000), "MemoryLimitTooSmall"),
        (LinuxResources(memory_limit_bytes=MIB, memory_swap_limit_bytes=9), "SwapBelowMemory"),
        (LinuxResources(memory_limit_bytes=-1, memory_swap_limit_bytes=9), "SwapBelowMemory"),
        (LinuxResources(cpuset_cpus="0-999999999999"), "BadCpuList"),
        (LinuxResources(cpuset_mems="x"), "BadCpuList"),
        (
            LinuxResources(hugepage_limits=(HugepageLimit(page_size="2mb", limit_bytes=0),)),
            "BadHugepageLimit",
        ),
        (
            LinuxResources(hugepage_limits=(HugepageLimit(page_size="2MB", limit_bytes=-1),)),
            "BadHugepageLimit",
        ),
        (LinuxResources(unified=(("../memory.max", "1"),)), "BadCgroupFile"),
        (LinuxResources(unified=(("memory.max", "1\0"),)), "BadCharacter"),
    ],
)
def test_unusable_limit_is_refused(bad: LinuxResources, reason: str) -> None:
    with pytest.raises(InvalidArgument, match=reason):
        check_resources("container x", bad, HOST)


def test_unified_settings_need_cgroup_v2() -> None:
    wanted = LinuxResources(unified=(("memory.high", "1"),))
    with pytest.raises(InvalidArgument, match="NoCgroupV2"):
        check_resources("container x", wanted, replace(HOST, cgroup_version=1))


@pytest.mark.parametrize("good", ["", "0", "0-3", "0-3,5,7-7", "65535"])
def test_cpu_list_passes(good: str) -> None:
    check_cpu_list("container x", "cpuset_cpus", good)


@pytest.mark.parametrize(
    "bad", ["3-0", "65536", "0-", "-1", "0,,1", "0 1", "0-1-2", "0\n", "٣", "9" * 5000, "0," * 3000]
)
def test_bad_cpu_list_is_refused_without_being_expanded(bad: str) -> None:
    with pytest.raises(InvalidArgument, match="BadCpuList") as caught:
        check_cpu_list("container x", "cpuset_cpus", bad)
    assert len(str(caught.value)) < 250
