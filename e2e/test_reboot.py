"""What a daemon does after a reboot, shown by another boot id in a stopped instance's database.

The kernel's objects are still there then, which is worse than a real reboot: they must be cleaned up as well.
"""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Callable

import pytest

from cri.api import api_pb2
from e2e.daemon import Lading
from e2e.images.catalogue import BUSYBOX
from e2e.kubelet_requests import ContainerShape
from e2e.leftovers import remove_pod_cgroups, take_snapshot, wait_clean
from e2e.node import Node
from e2e.session import Session


@pytest.mark.parametrize("handler", ["crun", "runc"])
@pytest.mark.parametrize("pid_mode", [api_pb2.CONTAINER, api_pb2.POD])
def test_after_another_boot_nothing_runs_and_nothing_is_held(
    session: Session, handler: str, pid_mode: api_pb2.NamespaceMode
) -> None:
    places = (session.workspace, session.network)
    before = take_snapshot(*places)
    instance = "boot-" + secrets.token_hex(3)
    daemon = Lading(*places, session.registry.rules, default_handler=handler, instance=instance)
    daemon.start()
    client = daemon.client()
    try:
        client.pull(BUSYBOX)
        node = Node(session=session, daemon=daemon, client=client)
        pod = node.run(node.with_pid_mode(pid_mode))
        running = pod.started()
        created = pod.create(ContainerShape(name="created"))
        ended = pod.started(ContainerShape(name="ended", command=("sh", "-c", "exit 3")))
        client.wait_exited(ended)
        assert session.network.lease_files()
        daemon.stop()
        change_boot_id(daemon)
        daemon.start()
        for container_id in (running, created):
            status = client.status(container_id)
            assert status.state == api_pb2.CONTAINER_EXITED
            assert (status.exit_code, status.message) == (255, "the node was rebooted")
        assert client.status(ended).exit_code == 3
        assert client.pod_status(pod.id).state == api_pb2.SANDBOX_NOTREADY
        wait_until(lambda: not session.network.lease_files(), "addresses stay leased")
        wait_until(lambda: not monitors(session), "containers go on running")
        again = node.run(node.shape("after"))
        again.started()
        again.remove()
        client.remove_pod(pod.id)
        remove_pod_cgroups(session.workspace)
    finally:
        client.remove_everything()
        client.close()
        daemon.stop()
    assert wait_clean(before, *places, client.seen_ids) == []


def change_boot_id(daemon: Lading) -> None:
    """Make a stopped daemon's database one of an earlier boot."""
    connection = sqlite3.connect(daemon.root / "state.db")
    with connection:
        changed = connection.execute("UPDATE facts SET value = 'x' WHERE name = 'boot_id'")
        assert changed.rowcount == 1
    connection.close()


def monitors(session: Session) -> list[str]:
    """Return the monitors of the run's containers; each lives as long as its container."""
    found = take_snapshot(session.workspace, session.network).processes
    return [process for process in found if "conmon" in process]


def wait_until(reached: Callable[[], bool], complaint: str) -> None:
    """Wait for what happens behind the first answer."""
    deadline = time.monotonic() + 60
    while not reached():
        assert time.monotonic() < deadline, complaint
        time.sleep(0.05)
