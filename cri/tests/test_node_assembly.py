"""Settings reach the parts they are meant for."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from cri import node_assembly
from cri.config import HandlerSettings, ImageSettings, RuntimeSettings, Settings
from cri.node_assembly import (
    check_writable_layers,
    monitor_cgroup_name,
    node_paths,
    oci_settings,
    pause_program,
    pull_settings,
    uses_systemd_cgroups,
)
from image.protocol.transport_limits import TransportLimits


async def test_writable_layers_of_their_own_place_are_tried_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[Path] = []

    def try_it(place: Path) -> str:
        tried.append(place)
        return ""

    monkeypatch.setattr(node_assembly, "why_no_upper", try_it)
    settings = Settings(root=str(tmp_path / "root"), state=str(tmp_path / "state"))
    assert await check_writable_layers(node_paths(settings)) == []
    assert tried == []
    (tmp_path / "disk").mkdir()
    (tmp_path / "root/containers/left").mkdir(parents=True)
    own = RuntimeSettings(containers_root=str(tmp_path / "disk"))
    (found,) = await check_writable_layers(node_paths(replace(settings, runtime=own)))
    assert found.reason == "WritableLayersLeftBehind"
    assert tried == [tmp_path / "disk/containers"]


async def test_a_place_that_does_not_answer_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = threading.Event()
    monkeypatch.setattr(node_assembly, "_PROBE_SECONDS", 0.01)
    monkeypatch.setattr(node_assembly, "why_no_upper", lambda place: str(answer.wait(30)))
    own = RuntimeSettings(containers_root=str(tmp_path))
    (found,) = await check_writable_layers(node_paths(Settings(root="/none", runtime=own)))
    answer.set()
    assert found.reason == "ContainersRootUnusable"
    assert "no answer" in found.cause


def test_each_instance_has_a_cgroup_for_its_monitors() -> None:
    default = monitor_cgroup_name(Settings().state)
    other, third = monitor_cgroup_name("/tmp/a"), monitor_cgroup_name("/tmp/b")
    assert default == "lading-monitors"
    assert len({default, other, third}) == 3


@pytest.mark.parametrize(("word", "wanted"), [("systemd", True), ("cgroupfs", False)])
def test_a_configured_cgroup_driver_is_taken(word: str, wanted: bool) -> None:
    assert uses_systemd_cgroups(word) is wanted


def test_the_automatic_cgroup_driver_follows_the_machine() -> None:
    assert uses_systemd_cgroups("auto") is Path("/run/systemd/system").is_dir()


def test_a_handler_has_its_own_runtime_root() -> None:
    settings = Settings(
        state="/run/x",
        runtime=RuntimeSettings(monitor_path="/m", create_timeout_seconds=7, max_parallel_starts=3),
    )
    handler = HandlerSettings(path="/opt/kata", runtime_args=("--debug",))
    oci = oci_settings(settings, "kata", handler, systemd_cgroups=True)
    assert (oci.program, oci.arguments, oci.monitor_program) == ("/opt/kata", ("--debug",), "/m")
    assert oci.root == Path("/run/x/oci/kata")
    assert (oci.systemd_cgroup, oci.create_timeout_seconds) == (True, 7.0)
    assert oci.max_parallel_starts == 3


def test_a_handler_that_is_not_installed_keeps_its_name_for_the_error() -> None:
    oci = oci_settings(Settings(), "no-such-runtime", HandlerSettings(), systemd_cgroups=False)
    assert oci.program == "no-such-runtime"


def test_a_configured_proxy_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://environment:1")
    monkeypatch.setenv("NO_PROXY", "local")
    settings = Settings()
    assert pull_settings(settings).proxy == "http://environment:1"
    assert pull_settings(settings).no_proxy == "local"
    configured = replace(settings, image=ImageSettings(proxy="http://configured:2"))
    assert pull_settings(configured).proxy == "http://configured:2"
    assert pull_settings(Settings()).transport == TransportLimits()
    assert "configured:2" not in repr(pull_settings(configured))


def test_a_configured_pause_program_is_taken() -> None:
    assert pause_program(Settings(runtime=RuntimeSettings(pause_path="/p"))) == Path("/p")
    assert pause_program(Settings()).name == "lading-pause"
