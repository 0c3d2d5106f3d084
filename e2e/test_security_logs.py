"""Security rule F1 on real runtimes: a container's log stays in the log directory of its pod."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from cri.api import api_pb2
from e2e.kubelet_requests import ContainerShape, container_config, pod_config
from e2e.looking_inside import script
from e2e.node import Node, Pod, log_lines, refused

INVALID = grpc.StatusCode.INVALID_ARGUMENT
PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION
TICKING = "n=0; while :; do n=$((n+1)); echo tick $n; sleep 0.05; done"


@pytest.fixture
def victim(node: Node) -> Iterator[Path]:
    """Give a directory of the host that must stay as it is."""
    place = node.session.workspace.folder(f"victim-{secrets.token_hex(3)}")
    (place / "0.log").write_text("precious")
    yield place
    assert [path.name for path in place.iterdir()] == ["0.log"]
    assert (place / "0.log").read_text() == "precious"


def reopen(node: Node, container_id: str) -> None:
    """Ask for a new log file."""
    request = api_pb2.ReopenContainerLogRequest(container_id=container_id)
    node.client.runtime.ReopenContainerLog(request, timeout=20)


def wait_grown(path: Path, size: int = 0) -> None:
    """Wait until a log has more than some bytes."""
    deadline = time.monotonic() + 60
    while not path.exists() or path.stat().st_size <= size:
        assert time.monotonic() < deadline, f"{path} does not grow"
        time.sleep(0.01)


def ticking(node: Node) -> tuple[Pod, str, Path]:
    """Start a container that writes all the time; return it with its log."""
    pod = node.run()
    container_id = pod.started(script(TICKING))
    log = Path(node.client.status(container_id).log_path)
    wait_grown(log)
    return pod, container_id, log


@pytest.mark.parametrize("path", ["../../x", "a/../../x", "/etc/x", "..", "a/../b", "a\nb"])
def test_f1_log_path_that_leaves_the_directory_is_refused(node: Node, path: str) -> None:
    pod = node.run()

    def change(config: api_pb2.ContainerConfig) -> None:
        config.log_path = path

    with refused(INVALID, says="log"):
        pod.create_changed(change)
    assert node.client.containers() == []


def test_f1_relative_log_directory_is_refused(node: Node) -> None:
    config = pod_config(node.shape())
    config.log_directory = "logs/../../x"
    with refused(INVALID, says="log_directory"):
        node.client.run_pod(config)


@pytest.mark.parametrize("part", ["directory", "file"])
def test_f1_link_on_the_way_is_refused_at_create(each_node: Node, victim: Path, part: str) -> None:
    shape = each_node.shape()
    config = pod_config(shape)
    place = Path(config.log_directory) / "main"
    place.parent.mkdir(parents=True)
    if part == "directory":
        place.symlink_to(victim)
    else:
        place.mkdir()
        (place / "0.log").symlink_to(victim / "0.log")
    pod_id = each_node.client.run_pod(config, each_node.handler)
    container = container_config(shape, ContainerShape(command=("echo", "leaked")))
    with refused(PRECONDITION, INVALID, says="log"):
        each_node.client.create(pod_id, container, config)
    assert each_node.client.containers() == []


def test_f1_rotation_works_and_loses_no_line(each_node: Node) -> None:
    _, container_id, log = ticking(each_node)
    log.rename(log.with_name("0.log.1"))
    reopen(each_node, container_id)
    assert log.exists()
    wait_grown(log)
    each_node.client.stop(container_id)
    texts = [
        line.text for name in ("0.log.1", "0.log") for line in log_lines(str(log.with_name(name)))
    ]
    assert texts == [f"tick {number}" for number in range(1, len(texts) + 1)]


@pytest.mark.parametrize("kind", ["link to a directory", "another directory", "nothing"])
def test_f1_directory_swapped_before_a_reopen_is_refused(
    each_node: Node, victim: Path, kind: str
) -> None:
    _, container_id, log = ticking(each_node)
    moved = log.parent.with_name("moved")
    log.parent.rename(moved)
    if kind == "link to a directory":
        log.parent.symlink_to(victim)
    elif kind == "another directory":
        log.parent.mkdir()
    (moved / "0.log").rename(moved / "0.log.1")
    with refused(PRECONDITION, says="log"):
        reopen(each_node, container_id)
    # It goes on where it was, and the monitor lives: once the directory is back, so is the log.
    wait_grown(moved / "0.log.1", (moved / "0.log.1").stat().st_size)
    if kind == "link to a directory":
        log.parent.unlink()
    elif kind == "another directory":
        assert list(log.parent.iterdir()) == []
        log.parent.rmdir()
    moved.rename(log.parent)
    reopen(each_node, container_id)
    wait_grown(log)


@pytest.mark.parametrize("name", ["0.log", "0.log.tmp"])
def test_f1_log_swapped_for_a_link_before_a_reopen_is_refused(
    each_node: Node, victim: Path, name: str
) -> None:
    _, container_id, log = ticking(each_node)
    log.rename(log.with_name("0.log.1"))
    log.with_name(name).symlink_to(victim / "0.log")
    with refused(PRECONDITION, says="link"):
        reopen(each_node, container_id)
    wait_grown(log.with_name("0.log.1"), log.with_name("0.log.1").stat().st_size)


def test_f1_reopen_is_refused_also_after_a_restart(each_node: Node, victim: Path) -> None:
    _, container_id, log = ticking(each_node)
    log.rename(log.with_name("0.log.1"))
    each_node.restart(crash=True)
    log.parent.rename(log.parent.with_name("moved"))
    log.parent.symlink_to(victim)
    with refused(PRECONDITION, says="log"):
        reopen(each_node, container_id)
