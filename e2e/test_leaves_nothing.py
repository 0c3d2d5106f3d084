"""After work of every kind, and after the daemon's own end, the node is as it was before."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from cri.api import api_pb2
from e2e.conftest import running_node
from e2e.kubelet_requests import ContainerShape
from e2e.leftovers import take_snapshot, wait_clean
from e2e.node import Node, refusal
from e2e.own_node import wait_until
from e2e.session import Session


def open_files(pid: int) -> int:
    """Return how many files a process has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def threads(pid: int) -> int:
    """Return how many threads a process has."""
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def busy_hour(node: Node) -> None:
    """Do a bit of everything, mistakes included, and remove it."""
    pod = node.run()
    first = pod.shell("echo log; sleep 1000", name="first")
    second = pod.started(ContainerShape(name="second"))
    pod.create(ContainerShape(name="never-started"))
    node.client.exec_sync(second, ["echo", "x"])
    refusal(lambda: node.client.exec_sync(second, ["sleep", "999"], timeout=1))
    refusal(lambda: pod.create(ContainerShape(name="no-image", image="registry.k8s.io/none:1")))
    refusal(lambda: pod.started(ContainerShape(name="no-program", command=("/none",))))
    node.client.stop(first)
    pod.remove()


def test_daemon_keeps_no_files_or_threads(node: Node) -> None:
    busy_hour(node)
    pid = node.daemon.process.pid
    before = (open_files(pid), threads(pid))
    for _ in range(5):
        busy_hour(node)
    wait_until(lambda: open_files(pid) <= before[0] + 2)
    wait_until(lambda: threads(pid) <= before[1] + 2)


def test_daemon_of_its_own_leaves_only_its_root(session: Session) -> None:
    places = (session.workspace, session.network)
    before = take_snapshot(*places)
    with running_node(session, "runc", "brief-" + secrets.token_hex(3)) as node:
        busy_hour(node)
        node.daemon.restart(crash=True)
        busy_hour(node)
        state = node.daemon.state
        seen = node.client.seen_ids
    assert wait_clean(before, *places, seen) == []
    assert [path for path in state.rglob("*") if path.is_socket()] == []


def test_removed_image_gives_its_space_back(session: Session) -> None:
    with running_node(session, "runc", "space-" + secrets.token_hex(3)) as node:
        # A space reserve for full disks stays; what came with the image must go.
        node.client.image.RemoveImage(request_for(node.pull_busybox()), timeout=60)
        # The space itself comes back a moment after the answer.
        wait_until(lambda: big_files(node.daemon.root) <= {"reserve"})
        image_id = node.pull_busybox()
        assert not big_files(node.daemon.root) <= {"reserve"}
        node.client.image.RemoveImage(request_for(image_id), timeout=60)
        wait_until(lambda: big_files(node.daemon.root) <= {"reserve"})


def request_for(image_id: str) -> api_pb2.RemoveImageRequest:
    """Return the request that removes an image."""
    return api_pb2.RemoveImageRequest(image=api_pb2.ImageSpec(image=image_id))


def big_files(folder: Path) -> set[str]:
    """Return the names of the files that are content, not a database."""
    found = (Path(place) / name for place, _, names in os.walk(folder) for name in names)
    return {path.name for path in found if large(path)}


def large(path: Path) -> bool:
    """Tell whether a file is content, not a database; it may go meanwhile."""
    try:
        return path.lstat().st_size > 300_000 and ".db" not in path.suffix
    except FileNotFoundError:
        return False
