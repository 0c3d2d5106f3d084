"""The demo's pod asks as the kubelet does, and shows log lines without their frame."""

import grpc
import pytest

from cri.command.demo import pod
from cri.command.demo.pod import DemoPod
from cri.command.demo.surroundings import Surroundings


def test_log_line_is_shown_as_stream_and_text() -> None:
    assert pod._log_text("2026-01-01T00:00:00Z stdout F hello there") == "stdout: hello there"


def test_images_that_stay_are_a_failure() -> None:
    assert pod._counted([]) == "no image is left"
    with pytest.raises(RuntimeError, match="1 images are still there"):
        pod._counted([object()])


def test_pod_runs_in_the_demos_own_cgroup(tmp_path: object) -> None:
    from pathlib import Path

    place = Surroundings(name="demo-x", directory=Path("/d"), state=Path("/s"), bridge="b")
    channel = grpc.insecure_channel("unix:///none.sock")
    try:
        config = DemoPod(channel, place, "image")._config
    finally:
        channel.close()
    assert config.linux.cgroup_parent == "/demo-x"
    assert config.metadata.uid == "demo-x"


def test_handler_in_use_is_named_with_the_reason_against_the_other() -> None:
    info = {
        "config": '{"defaultHandler": "runc"}',
        "handlers": '{"runc": {"version": "runc 1.1.5", "usable": true, "reason": ""},'
        ' "crun": {"version": "1.8", "usable": false, "reason": "hybrid cgroups"}}',
    }
    assert pod._handler_words(info) == "handler runc 1.1.5; not crun: hybrid cgroups"
