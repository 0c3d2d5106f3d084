"""Tests of the probe with scripts instead of runtimes."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from runtime.drivers import runtime_probe
from runtime.drivers.runtime_probe import probe_runtime
from runtime.host.cgroup_layout import CgroupLayout
from runtime.tests.fakes.fake_programs import NO_CGROUPS, FakePrograms, fake_programs

FEATURES = (
    '{"mountOptions":["rro"],"linux":{"namespaces":["user"],'
    '"mountExtensions":{"idmap":{"enabled":true}}}}'
)
HYBRID = CgroupLayout(
    mode="hybrid",
    controllers=(("memory", Path("/m")),),
    unified=Path("/u"),
    unified_controllers=("hugetlb",),
)


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[FakePrograms]:
    async with fake_programs(tmp_path) as made:
        yield made
        made.driver.enumerate = _nothing  # type: ignore[method-assign, assignment]


async def _nothing() -> list[object]:
    return []


def answer(scene: FakePrograms, version: str, features: str) -> None:
    script = f"#!/bin/sh\ncase $1 in --version) {version};; features) {features};; esac\n"
    (scene.place / "crun").write_text(script)


@pytest.mark.parametrize(
    ("version", "features", "rro", "userns"),
    [
        ("echo runc version 1.5.2", f"echo '{FEATURES}'", True, True),
        ("echo runc version 1.1.5", "exit 1", False, False),
        ("echo crun version 1.8.1", "exit 1", False, False),
        ("echo crun version 1.8.1", "echo nonsense", False, False),
    ],
)
async def test_features_are_asked_for_and_never_guessed(
    scene: FakePrograms, version: str, features: str, *, rro: bool, userns: bool
) -> None:
    answer(scene, version, features)
    found = await scene.driver.probe()
    assert found.usable
    assert found.version == version.removeprefix("echo ").replace(" version", "")
    assert (found.recursive_read_only_mounts, found.user_namespaces) == (rro, userns)
    assert found.untried is (FEATURES not in features)


@pytest.mark.parametrize(
    ("version", "reason"), [("exit 3", "no version"), ("echo no runtime", "OCI runtime's path")]
)
async def test_program_that_is_no_runtime_is_told(
    scene: FakePrograms, version: str, reason: str
) -> None:
    answer(scene, version, "exit 1")
    found = await scene.driver.probe()
    assert not found.usable
    assert reason in found.reason


async def test_hanging_program_is_told(
    scene: FakePrograms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime_probe, "_PROBE_SECONDS", 0.05)
    answer(scene, "sleep 600", "exit 1")
    assert not (await scene.driver.probe()).usable


@pytest.mark.parametrize("missing", ["program", "monitor_program"])
async def test_missing_program_is_named_with_a_remedy(scene: FakePrograms, missing: str) -> None:
    settings = replace(scene.settings, **{missing: "/no/such"})  # type: ignore[arg-type]
    found = await probe_runtime(scene.services.programs, settings, NO_CGROUPS)
    assert not found.usable
    assert "/no/such is not installed on system; install such" in found.reason


async def test_crun_on_hybrid_cgroups_cannot_be_used_but_runc_can(scene: FakePrograms) -> None:
    answer(scene, "echo crun version 1.8.1", "exit 1")
    found = await probe_runtime(scene.services.programs, scene.settings, HYBRID)
    assert not found.usable
    assert "hugetlb" in found.reason
    answer(scene, "echo runc version 1.1.5", "exit 1")
    assert (await probe_runtime(scene.services.programs, scene.settings, HYBRID)).usable
