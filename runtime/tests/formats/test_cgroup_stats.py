"""Use of a cgroup, from the files of either version."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.formats.cgroup_stats import (
    oom_kills,
    parse_flat_keyed,
    parse_number,
    usage_v1,
    usage_v2,
)
from runtime.records.resources import SwapUsage

V1 = {
    "cpuacct.usage": "1500\n",
    "memory.usage_in_bytes": "1000\n",
    "memory.limit_in_bytes": "4000\n",
    "memory.memsw.usage_in_bytes": "1200\n",
    "memory.memsw.limit_in_bytes": "6000\n",
    "memory.stat": "total_inactive_file 300\ntotal_rss 500\ntotal_pgfault 7\ntotal_pgmajfault 2\n",
    "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n",
    "pids.current": "4\n",
}
V2 = {
    "cpu.stat": "usage_usec 15\nuser_usec 10\n",
    "memory.current": "1000\n",
    "memory.max": "4000\n",
    "memory.swap.current": "200\n",
    "memory.swap.max": "2000\n",
    "memory.stat": "inactive_file 300\nanon 500\npgfault 7\npgmajfault 2\n",
    "memory.events": "low 0\noom 5\noom_kill 3\n",
    "pids.current": "4\n",
}
UNLIMITED = "9223372036854771712\n"


def test_both_versions_say_the_same_of_the_same_use() -> None:
    one, two = usage_v1(V1, 9), usage_v2(V2, 9)
    assert one.memory == two.memory
    assert one.swap == two.swap == SwapUsage(timestamp_ns=9, usage_bytes=200, available_bytes=1800)
    assert (one.pids_current, one.oom_kills) == (two.pids_current, two.oom_kills) == (4, 3)
    assert (one.cpu.usage_core_ns, two.cpu.usage_core_ns) == (1500, 15000)
    memory = one.memory
    assert (memory.usage_bytes, memory.working_set_bytes, memory.available_bytes) == (
        1000,
        700,
        3300,
    )
    assert (memory.rss_bytes, memory.page_faults, memory.major_page_faults) == (500, 7, 2)


def test_nothing_is_available_of_what_is_not_limited() -> None:
    one = usage_v1(
        {**V1, "memory.limit_in_bytes": UNLIMITED, "memory.memsw.limit_in_bytes": UNLIMITED}, 1
    )
    two = usage_v2({**V2, "memory.max": "max\n", "memory.swap.max": "max\n"}, 1)
    for usage in (one, two):
        assert usage.memory.available_bytes == 0
        assert usage.swap is not None
        assert (usage.swap.usage_bytes, usage.swap.available_bytes) == (200, 0)


def test_more_inactive_pages_than_use_is_no_negative_working_set() -> None:
    usage = usage_v2({"memory.current": "10", "memory.stat": "inactive_file 20"}, 1)
    assert usage.memory.working_set_bytes == 0


@pytest.mark.parametrize("usage", [usage_v1({}, 5), usage_v2({}, 5)])
def test_missing_files_count_as_nothing(usage: object) -> None:
    assert usage == usage_v1({}, 5)
    assert usage_v1({}, 5).swap is None


def test_kills_are_counted_not_mere_shortage() -> None:
    assert oom_kills({"memory.events": "oom 4\noom_kill 0\n"}) == 0
    assert oom_kills({}) == 0


def test_unknown_lines_are_skipped() -> None:
    assert parse_flat_keyed("a 1\nb max\nc\nd -1\ne ²\n\n") == {"a": 1}


@pytest.mark.parametrize(("text", "number"), [("7\n", 7), ("max", None), ("", None), ("-1", None)])
def test_only_a_plain_number_is_one(text: str, number: int | None) -> None:
    assert parse_number(text) == number


@given(st.dictionaries(st.sampled_from(sorted({*V1, *V2})), st.text(max_size=60)))
def test_any_content_gives_a_usage_without_negative_figures(files: dict[str, str]) -> None:
    for usage in (usage_v1(files, 1), usage_v2(files, 1)):
        assert usage.memory.working_set_bytes >= 0
        assert usage.memory.available_bytes >= 0
