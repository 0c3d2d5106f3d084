"""Tests of the trial on a script that creates `containers`: sleeps whose mounts the test makes up."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runtime.drivers import feature_trial
from runtime.drivers.feature_trial import (
    FeatureTrial,
    TrialResult,
    all_read_only,
    directory_with_submount,
)
from runtime.drivers.oci_command import OciCommand
from runtime.formats.mountinfo import MountEntry
from runtime.tests.fakes.fake_programs import FakePrograms, fake_programs

SCRIPT = """#!/bin/sh
place=$(dirname "$0")
for word in "$@"; do
  case $word in --root=*) root=${word#--root=} ;; --log=*) log=${word#--log=} ;; esac
  last=$word
done
case "$*" in
  *" create "*)
    while [ "$1" != --bundle ]; do shift; done
    cat "$2/config.json" >> "$place/specs"; echo >> "$place/specs"
    [ ! -e "$place/hang" ] || exec sleep 600
    [ ! -e "$place/slow" ] || { sleep 0.2; touch "$place/finished"; }
    for refused in $(cat "$place/refused" 2>/dev/null); do
      if grep -q "$refused" "$2/config.json"; then
        echo '{"level": "error", "msg": "unknown option"}' > "$log"
        exit 1
      fi
    done
    mkdir -p "$root/$last"
    [ -e "$place/no-pid" ] || echo 4242 > "$4" ;;
  *" delete "*) rmdir "$root/$last" ;;
esac
"""
NOTHING = TrialResult(recursive_read_only_mounts=None, id_mapped_mounts=None)


@pytest.fixture
async def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakePrograms]:
    async with fake_programs(tmp_path) as made:
        (tmp_path / "crun").write_text(SCRIPT)
        made.driver.enumerate = _nothing  # type: ignore[method-assign, assignment]
        monkeypatch.setattr(feature_trial, "FINISH_SECONDS", 0.1)
        monkeypatch.setattr(feature_trial, "_mounts_of", mounts)
        monkeypatch.setattr(feature_trial, "_owner_is_mapped", lambda pid: pid == 4242)
        yield made


async def _nothing() -> list[object]:
    return []


def entry(point: str, *options: str) -> MountEntry:
    return MountEntry(
        mount_id=1,
        parent_id=1,
        device="0:1",
        root="/",
        mount_point=point,
        options=options,
        propagation=(),
        filesystem="tmpfs",
        source="none",
        super_options=("rw",),
    )


def mounts(process: str) -> tuple[MountEntry, ...]:
    if process == "self":
        return (entry("/", "rw"), entry("/proc/self", "rw"))
    assert process == "4242"
    return (entry("/", "rw"), entry("/mounted", "ro"), entry("/mounted/self", "ro"))


def trial(scene: FakePrograms) -> FeatureTrial:
    command = OciCommand(scene.services.programs, scene.settings)
    return FeatureTrial(scene.services, scene.settings, command)


def specs(scene: FakePrograms) -> list[dict[str, object]]:
    return [json.loads(line) for line in (scene.place / "specs").read_text().splitlines()]


def left(scene: FakePrograms) -> list[str]:
    oci = scene.place / "oci"
    found = [*scene.place.glob("trial-*"), *scene.place.glob("volume"), *oci.glob("*")]
    return sorted(path.name for path in found)


async def test_runtime_that_does_as_told_can_do_both(scene: FakePrograms) -> None:
    found = await trial(scene).run(scene.place / "volume")
    assert found == TrialResult(recursive_read_only_mounts=True, id_mapped_mounts=True)
    first, second = specs(scene)
    assert '"rro"' in json.dumps(first)
    assert "uidMappings" not in json.dumps(first)
    assert json.dumps(second).count('"uidMappings"') == 2
    assert left(scene) == []


@pytest.mark.parametrize(
    ("refused", "found"),
    [
        ('"rro"', (False, True)),
        ('"/mounted"', (False, False)),
        ("uidMappings", (True, None)),
        ("ociVersion", (None, None)),
    ],
)
async def test_refusal_counts_only_where_the_rest_works(
    scene: FakePrograms, refused: str, found: tuple[bool | None, bool | None]
) -> None:
    (scene.place / "refused").write_text(refused)
    result = await trial(scene).run(scene.place / "volume")
    assert (result.recursive_read_only_mounts, result.id_mapped_mounts) == found
    assert left(scene) == []


async def test_option_that_is_accepted_and_ignored_is_found_out(
    scene: FakePrograms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feature_trial, "all_read_only", lambda _: False)
    monkeypatch.setattr(feature_trial, "_owner_is_mapped", lambda _: False)
    found = await trial(scene).run(scene.place / "volume")
    assert found == TrialResult(recursive_read_only_mounts=False, id_mapped_mounts=False)


async def test_host_without_a_submount_tells_nothing(
    scene: FakePrograms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feature_trial, "_mounts_of", lambda _: ())
    assert (await trial(scene).run(scene.place / "volume")).recursive_read_only_mounts is None


async def test_runtime_that_hangs_is_given_up(
    scene: FakePrograms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feature_trial, "TRIAL_SECONDS", 0.1)
    (scene.place / "hang").touch()
    assert await trial(scene).run(scene.place / "volume") == NOTHING
    assert left(scene) == []


async def test_runtime_without_a_pid_file_tells_nothing(scene: FakePrograms) -> None:
    (scene.place / "no-pid").touch()
    assert await trial(scene).run(scene.place / "volume") == NOTHING
    assert left(scene) == []


async def test_unwritable_place_tells_nothing(scene: FakePrograms) -> None:
    (scene.place / "volume").touch()
    assert await trial(scene).run(scene.place / "volume") == NOTHING


async def test_driver_tries_once_and_remembers(scene: FakePrograms) -> None:
    memory = scene.place / "tried.json"
    for _ in range(2):
        found = await scene.driver.try_features(memory)
        assert found.recursive_read_only_mounts
        assert found.user_namespaces
    assert len(specs(scene)) == 2
    os.utime(scene.place / "crun", ns=(1, 1))  # as if another version had been installed
    await scene.driver.try_features(memory)
    assert len(specs(scene)) == 4


async def test_driver_does_not_remember_what_it_did_not_learn(scene: FakePrograms) -> None:
    (scene.place / "no-pid").touch()
    found = await scene.driver.try_features(scene.place / "tried.json")
    assert not found.recursive_read_only_mounts
    assert not (scene.place / "tried.json").exists()


async def test_cancelled_trial_leaves_nothing(scene: FakePrograms) -> None:
    (scene.place / "hang").touch()
    running = asyncio.get_running_loop().create_task(trial(scene).run(scene.place / "volume"))
    async with asyncio.timeout(30):
        while not (scene.place / "specs").exists():
            await asyncio.sleep(0.001)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert left(scene) == []


async def test_cancelled_trial_lets_the_runtime_end_before_it_deletes(
    scene: FakePrograms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feature_trial, "FINISH_SECONDS", 30.0)
    (scene.place / "slow").touch()
    running = asyncio.get_running_loop().create_task(trial(scene).run(scene.place / "volume"))
    async with asyncio.timeout(30):
        while not (scene.place / "specs").exists():
            await asyncio.sleep(0.001)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (scene.place / "finished").exists()
    assert left(scene) == []


def test_source_is_a_directory_with_a_writable_mount_below(tmp_path: Path) -> None:
    found = directory_with_submount(
        (entry("/", "rw"), entry(str(tmp_path / "none"), "rw"), entry(str(tmp_path), "ro"))
    )
    assert found == ""
    assert directory_with_submount((entry(str(tmp_path), "rw"),)) == str(tmp_path.parent)


@pytest.mark.parametrize(
    ("entries", "answer"),
    [
        ((entry("/mounted", "ro"), entry("/mounted/pts", "ro", "nosuid")), True),
        ((entry("/mounted", "ro"), entry("/mounted/pts", "rw")), False),
        ((entry("/mounted", "ro"), entry("/mounted2", "ro")), False),
        ((), False),
    ],
)
def test_all_of_the_tree_must_be_read_only(
    entries: tuple[MountEntry, ...], *, answer: bool
) -> None:
    assert all_read_only(entries) is answer


def test_real_mounts_and_owners_can_be_read() -> None:
    assert feature_trial._mounts_of("self")
