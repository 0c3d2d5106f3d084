"""Tests of starting a monitor: its command line; its failures are in test_oci_runtime."""

import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from runtime.drivers.driver import CreateRequest
from runtime.drivers.monitor import MonitorStart
from runtime.drivers.oci_command import OciCommand
from runtime.errors import Internal
from runtime.tests.fakes.fake_programs import FakePrograms, fake_programs


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[FakePrograms]:
    async with fake_programs(tmp_path) as made:
        yield made


def arguments(scene: FakePrograms, request: CreateRequest, *, systemd: bool = False) -> list[str]:
    settings = replace(scene.settings, systemd_cgroup=systemd)
    command = OciCommand(scene.services.programs, settings)
    return MonitorStart(scene.services, settings, command)._arguments(request, "create")


@pytest.mark.parametrize(
    ("terminal", "stdin", "once", "flags"),
    [
        (False, False, False, set()),
        (True, True, True, {"-t"}),
        (False, True, True, {"-i"}),
        (False, True, False, {"-i", "--leave-stdin-open"}),
    ],
)
async def test_input_flags(
    scene: FakePrograms, *, terminal: bool, stdin: bool, once: bool, flags: set[str]
) -> None:
    request = replace(scene.request(), terminal=terminal, stdin=stdin, stdin_once=once)
    found = set(arguments(scene, request))
    assert found & {"-t", "-i", "--leave-stdin-open"} == flags


async def test_log_is_named_by_path_or_by_the_opened_directory(scene: FakePrograms) -> None:
    request = scene.request()
    assert f"k8s-file:{request.log_path}" in arguments(scene, request)
    opened = replace(request, log_directory_fd=12)
    assert "k8s-file:/proc/self/fd/12/log" in arguments(scene, opened)
    assert "none" in arguments(scene, replace(request, log_path=""))


async def test_systemd_and_runtime_arguments(scene: FakePrograms) -> None:
    request = scene.request()
    found = arguments(scene, request, systemd=True)
    assert "-s" in found
    assert f"--runtime-arg=--root={scene.settings.root}" in found
    assert f"--runtime-arg=--log={request.bundle}/runtime.log" in found
    assert "-s" not in arguments(scene, request)


async def test_started_monitor_tells_both_pids(scene: FakePrograms) -> None:
    request = scene.request()
    (request.bundle / "config.json").write_text("{}")
    command = OciCommand(scene.services.programs, scene.settings)
    before = len(os.listdir("/proc/self/fd"))
    started = await MonitorStart(scene.services, scene.settings, command).create(request)
    assert len(os.listdir("/proc/self/fd")) <= before
    assert started.container_pid == int((request.bundle / "pid").read_text())
    assert started.monitor_pid == int((request.bundle / "monitor.pid").read_text())


async def test_answer_that_is_nonsense_is_a_fault(scene: FakePrograms) -> None:
    script = "#!/bin/sh\necho nonsense > /proc/self/fd/$_OCI_SYNCPIPE\n"
    (scene.place / "conmon").write_text(script)
    with pytest.raises(Internal) as caught:
        await scene.driver.create(scene.request())
    assert "no JSON" in str(caught.value)


async def test_monitor_that_ends_badly_without_a_word_is_told(scene: FakePrograms) -> None:
    (scene.place / "conmon").write_text("#!/bin/sh\nexit 3\n")
    with pytest.raises(Internal) as caught:
        await scene.driver.create(scene.request())
    assert caught.value.exit_code == 3
