"""What this host and our rights allow."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from runtime.errors import Unavailable
from runtime.host.capability_names import CAPABILITY_NAMES
from runtime.host.cgroup_layout import CgroupLayout
from runtime.host.system_facts import (
    can_lower_oom_score,
    gather_facts,
    hard_rlimits,
    possible_cpus,
)
from runtime.tests.host.test_pause_process import FakeEnd, FakeLauncher


async def test_facts_are_gathered_without_changing_anything(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "memory.swap.max").touch()
    layout = CgroupLayout(
        mode="v2", controllers=(), unified=tmp_path, unified_controllers=("cpu", "memory")
    )
    before = Path("/proc/self/oom_score_adj").read_text()
    facts = await gather_facts(FakeLauncher(FakeEnd()), layout)
    assert Path("/proc/self/oom_score_adj").read_text() == before
    assert set(facts.capabilities) <= set(facts.known_capabilities) <= set(CAPABILITY_NAMES)
    assert facts.can_lower_oom_score
    assert (facts.cgroup_version, facts.cgroup_controllers) == (2, ("cpu", "memory"))
    assert facts.swap_accounting
    assert facts.kernel_release
    assert facts.cpu_count >= (os.cpu_count() or 1)


@pytest.mark.parametrize(
    ("text", "count"),
    [("0\n", 1), ("0-3\n", 4), ("0-3,8-11\n", 12), ("0,2\n", 3), ("", 0), ("x", 0)],
)
def test_cpus_are_counted_up_to_the_last_possible_one(text: str, count: int) -> None:
    assert possible_cpus(text) == count


@pytest.mark.parametrize(("file", "counts"), [("memory.memsw.limit_in_bytes", True), ("x", False)])
async def test_swap_of_version_1_is_seen_by_its_file(
    tmp_path: Path, file: str, counts: bool
) -> None:
    (tmp_path / file).touch()
    layout = CgroupLayout(
        mode="v1", controllers=(("memory", tmp_path),), unified=None, unified_controllers=()
    )
    facts = await gather_facts(FakeLauncher(FakeEnd(exit_code=2)), layout)
    assert facts.swap_accounting is counts
    assert not facts.can_lower_oom_score


async def test_child_tries_one_less_than_ours() -> None:
    launcher = FakeLauncher(FakeEnd())
    assert await can_lower_oom_score(launcher, -5)
    assert launcher.argv[-1] == "-6"
    assert not await can_lower_oom_score(FakeLauncher(FakeEnd(timed_out=True)), 0)


async def test_lowest_score_needs_no_trial() -> None:
    launcher = FakeLauncher(FakeEnd(exit_code=1))
    assert await can_lower_oom_score(launcher, -1000)
    assert launcher.argv == []


async def test_host_without_a_shell_clamps() -> None:
    class NoPrograms:
        async def run(
            self,
            argv: Sequence[str],
            *,
            timeout_seconds: float,
            subject: str,
            env: Mapping[str, str] | None = None,
        ) -> FakeEnd:
            raise Unavailable(subject, "sh is not installed")

    assert not await can_lower_oom_score(NoPrograms(), 0)


def test_limits_are_named_as_the_spec_names_them() -> None:
    limits = hard_rlimits()
    assert limits["RLIMIT_NOFILE"] > 0
    assert "RLIMIT_OFILE" not in limits
    assert all(0 <= value < 1 << 64 for value in limits.values())


def test_names_are_in_the_kernels_order() -> None:
    assert len(CAPABILITY_NAMES) == 41
    assert CAPABILITY_NAMES[21] == "CAP_SYS_ADMIN"
    assert CAPABILITY_NAMES[40] == "CAP_CHECKPOINT_RESTORE"
