"""Execs that are given up while the real runtime still starts them: whatever the instant, no process stays.

Needs root; shares its scene with test_driver.
"""

import asyncio
import os
import random
import shutil
from dataclasses import replace

import pytest

from e2e.contracts.driver_contract import LIMIT, command, remove, running
from e2e.test_driver import RUNTIMES, RealScene, gone, place, scene
from runtime.drivers.driver import ContainerHandle
from runtime.drivers.oci_runtime import OciRuntimeDriver
from runtime.errors import DeadlineExceeded

__all__ = ["place", "scene"]
pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.parametrize("scene", RUNTIMES, indirect=True),
]
WORDS = ("sh", "-c", "sleep 601 & exec sleep 602")
LATE_PID_FILE = """#!/bin/sh
for word in "$@"; do
  shift
  case $word in --pid-file=*/exec-*) pid=${word#*=} word=$word.late ;; esac
  set -- "$@" "$word"
done
[ "$pid" ] || exec REAL "$@"
REAL "$@" || exit $?
sleep 1
mv "$pid.late" "$pid"
"""
"""The real runtime with a long moment between the started process and its pid file."""


async def cut(handle: ContainerHandle, seconds: float) -> None:
    with pytest.raises(DeadlineExceeded):
        await handle.exec(command(*WORDS, timeout_seconds=seconds))


async def test_exec_given_up_at_any_instant_leaves_no_process(scene: RealScene) -> None:
    handle = await running(scene)
    dice = random.Random(7)
    for _ in range(25):
        async with asyncio.timeout(3 * LIMIT), asyncio.TaskGroup() as group:
            for _ in range(4):
                group.create_task(cut(handle, dice.uniform(0.001, 0.05)))
    await gone(handle)
    await remove(handle)


async def test_exec_given_up_before_its_pid_is_known_leaves_no_process(scene: RealScene) -> None:
    real = shutil.which(scene.settings.program)
    assert real is not None
    program = scene.place / "late-runtime"
    program.write_text(LATE_PID_FILE.replace("REAL", real))
    program.chmod(0o755)
    settings = replace(scene.settings, program=str(program))
    driver = OciRuntimeDriver("late", settings, scene.services)
    handle = await driver.create(scene.request())
    await handle.start()
    await cut(handle, 0.7)
    await gone(handle)
    await remove(handle)
