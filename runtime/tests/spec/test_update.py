"""Updates: zero means unchanged, swap follows memory."""

import pytest

from runtime.records.resources import HugepageLimit, LinuxResources
from runtime.spec.update import updated_resources

TWO = HugepageLimit(page_size="2MB", limit_bytes=4)
BIG = HugepageLimit(page_size="1GB", limit_bytes=8)
CURRENT = LinuxResources(
    cpu_shares=512,
    cpu_quota_us=1000,
    memory_limit_bytes=100,
    memory_swap_limit_bytes=100,
    oom_score_adj=900,
    cpuset_cpus="0",
    hugepage_limits=(TWO,),
    unified=(("memory.high", "1"),),
)


def test_empty_change_changes_nothing() -> None:
    assert updated_resources(CURRENT, LinuxResources()) == CURRENT


def test_set_fields_replace_and_lists_are_merged_by_name() -> None:
    change = LinuxResources(
        cpu_shares=1,
        cpuset_cpus="0-1",
        hugepage_limits=(BIG, HugepageLimit(page_size="2MB", limit_bytes=0)),
        unified=(("memory.max", "2"), ("cpu.weight", "3")),
    )
    after = updated_resources(CURRENT, change)
    assert (after.cpu_shares, after.cpu_quota_us, after.cpuset_cpus) == (1, 1000, "0-1")
    assert after.hugepage_limits == (HugepageLimit(page_size="2MB", limit_bytes=0), BIG)
    assert after.unified == (("cpu.weight", "3"), ("memory.high", "1"), ("memory.max", "2"))


@pytest.mark.parametrize(
    ("current_swap", "limit", "swap", "after"),
    [
        (100, 200, 0, (200, 200)),
        (100, 200, 300, (200, 300)),
        (-1, 200, 0, (200, -1)),
        (100, 0, 300, (100, 300)),
        (0, 200, 0, (200, 200)),
        (100, -1, 0, (-1, -1)),
    ],
)
def test_swap_follows_the_memory_limit_unless_told_or_unlimited(
    current_swap: int, limit: int, swap: int, after: tuple[int, int]
) -> None:
    current = LinuxResources(memory_limit_bytes=100, memory_swap_limit_bytes=current_swap)
    change = LinuxResources(memory_limit_bytes=limit, memory_swap_limit_bytes=swap)
    found = updated_resources(current, change)
    assert (found.memory_limit_bytes, found.memory_swap_limit_bytes) == after
