"""The daemon may end at any time, by order or by force: containers go on, and a repeated request succeeds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress

import grpc
import pytest

from cri.api import api_pb2
from e2e.cri_client import Client
from e2e.kubelet_requests import ContainerShape, container_config, pod_config
from e2e.leftovers import own_processes
from e2e.node import Node, log_lines, wait_log
from e2e.own_node import wait_until

DELAYS = (0.001, 0.004, 0.010, 0.020, 0.035, 0.060)
ending = pytest.mark.parametrize("crash", [False, True], ids=["ordered", "killed"])
moment = pytest.mark.parametrize("delay", DELAYS)


def interrupt(
    node: Node,
    request: Callable[[Client], object],
    delay: float = 0.0,
    *,
    crash: bool = True,
    begun: Callable[[], bool] = lambda: True,
) -> None:
    """Send a request, end the daemon after a moment and once something is true, start it again."""

    def send() -> None:
        client = node.daemon.client()
        with suppress(grpc.RpcError):
            request(client)
        node.client.seen_ids |= client.seen_ids
        client.close()

    sender = threading.Thread(target=send)
    sender.start()
    time.sleep(delay)
    wait_until(begun)
    if crash:
        node.daemon.kill()
    else:
        node.daemon.stop()
    sender.join()
    node.daemon.start()


def whole_life(node: Node) -> None:
    """Show that the node still does everything."""
    pod = node.run(node.shape("after"))
    container_id = pod.started()
    assert node.client.exec_sync(container_id, ["echo", "ok"]).stdout == b"ok\n"
    pod.remove()


@ending
def test_running_container_is_untouched(each_node: Node, crash: bool) -> None:
    pod = each_node.run()
    container_id = pod.shell("echo $$ started; while :; do sleep 0.1; echo tick; done")
    before = each_node.client.status(container_id)
    pod_before = each_node.client.pod_status(pod.id)
    each_node.restart(crash=crash)
    after = each_node.client.status(container_id)
    assert after == before
    assert each_node.client.pod_status(pod.id) == pod_before
    assert each_node.client.exec_sync(container_id, ["echo", "alive"]).stdout == b"alive\n"
    wait_log(each_node.client, container_id, len(log_lines(after.log_path)) + 2)
    each_node.client.stop(container_id)
    assert each_node.client.status(container_id).exit_code == 137


@ending
def test_exit_during_absence_is_known_afterwards(each_node: Node, crash: bool) -> None:
    gate = each_node.session.workspace.folder(f"gate-{each_node.handler}-{crash}")
    mounts = (api_pb2.Mount(container_path="/gate", host_path=str(gate)),)
    script = "while [ ! -e /gate/open ]; do sleep 0.02; done; exit 7"
    pod = each_node.run()
    container_id = pod.started(ContainerShape(command=("sh", "-c", script), mounts=mounts))
    if crash:
        each_node.daemon.kill()
    else:
        each_node.daemon.stop()
    (gate / "open").touch()
    wait_until(lambda: not list(own_processes([container_id])))  # its monitor ends after it
    each_node.daemon.start()
    status = each_node.client.wait_exited(container_id)
    assert (status.exit_code, status.reason) == (7, "Error")
    (gate / "open").unlink()


@ending
def test_created_container_can_be_started_afterwards(each_node: Node, crash: bool) -> None:
    pod = each_node.run()
    container_id = pod.create()
    each_node.restart(crash=crash)
    assert each_node.client.status(container_id).state == api_pb2.CONTAINER_CREATED
    each_node.client.start(container_id)
    assert each_node.client.status(container_id).state == api_pb2.CONTAINER_RUNNING


@ending
def test_stopped_pod_stays_stopped(each_node: Node, crash: bool) -> None:
    pod = each_node.run()
    container_id = pod.started()
    each_node.client.stop_pod(pod.id)
    each_node.restart(crash=crash)
    assert each_node.client.pod_status(pod.id).state == api_pb2.SANDBOX_NOTREADY
    assert each_node.client.status(container_id).state == api_pb2.CONTAINER_EXITED


@moment
def test_run_pod_interrupted_then_repeated(node: Node, delay: float) -> None:
    config = pod_config(node.shape("cut"))
    interrupt(node, lambda client: client.run_pod(config), delay)
    pod_id = node.client.run_pod(config)
    ready = [pod.id for pod in node.client.pods() if pod.state == api_pb2.SANDBOX_READY]
    assert ready == [pod_id]
    assert node.client.pod_status(pod_id).network.ip
    whole_life(node)


@moment
def test_create_interrupted_then_repeated(each_node: Node, delay: float) -> None:
    pod = each_node.run()
    config = container_config(pod.shape, ContainerShape())
    interrupt(each_node, lambda client: client.create(pod.id, config, pod.config), delay)
    container_id = pod.create()
    assert [item.id for item in each_node.client.containers()] == [container_id]
    each_node.client.start(container_id)
    assert each_node.client.exec_sync(container_id, ["true"]).exit_code == 0


@moment
def test_start_interrupted_then_repeated(each_node: Node, delay: float) -> None:
    pod = each_node.run()
    container_id = pod.create()
    interrupt(each_node, lambda client: client.start(container_id), delay / 4)
    if each_node.client.status(container_id).state != api_pb2.CONTAINER_RUNNING:
        each_node.client.start(container_id)
    assert each_node.client.status(container_id).state == api_pb2.CONTAINER_RUNNING
    assert each_node.client.exec_sync(container_id, ["true"]).exit_code == 0


@moment
def test_stop_interrupted_then_repeated(each_node: Node, delay: float) -> None:
    pod = each_node.run()
    container_id = pod.started()
    interrupt(each_node, lambda client: client.stop(container_id), delay / 4)
    each_node.client.stop(container_id)
    assert each_node.client.status(container_id).exit_code == 137


@moment
def test_remove_interrupted_then_repeated(each_node: Node, delay: float) -> None:
    pod = each_node.run()
    container_id = pod.started()
    interrupt(each_node, lambda client: client.remove(container_id), delay / 2)
    each_node.client.remove(container_id)
    assert each_node.client.containers() == []


@moment
def test_stop_pod_interrupted_then_repeated(node: Node, delay: float) -> None:
    pod = node.run()
    pod.started()
    interrupt(node, lambda client: client.stop_pod(pod.id), delay)
    node.client.stop_pod(pod.id)
    assert node.client.pod_status(pod.id).state == api_pb2.SANDBOX_NOTREADY
    assert node.session.network.lease_files() == set()
    whole_life(node)


@moment
def test_remove_pod_interrupted_then_repeated(node: Node, delay: float) -> None:
    pod = node.run()
    pod.started()
    interrupt(node, lambda client: client.remove_pod(pod.id), delay)
    node.client.remove_pod(pod.id)
    assert node.client.pods() == []
    assert node.client.containers() == []


@ending
def test_exec_in_flight_does_not_survive_as_an_orphan(node: Node, crash: bool) -> None:
    pod = node.run()
    container_id = pod.started()

    def exec_long(client: Client) -> None:
        client.exec_sync(container_id, ["sleep", "55555"], timeout=0)

    def runs() -> bool:
        return b"55555" in node.client.exec_sync(container_id, ["ps", "-o", "args"]).stdout

    interrupt(node, exec_long, crash=crash, begun=runs)
    wait_until(lambda: not runs())


@moment
def test_exec_interrupted_at_any_moment_leaves_no_process(each_node: Node, delay: float) -> None:
    pod = each_node.run()
    container_id = pod.started()

    def exec_long(client: Client) -> None:
        client.exec_sync(container_id, ["sleep", "55555"], timeout=0)

    interrupt(each_node, exec_long, delay / 2)
    listed = each_node.client.exec_sync(container_id, ["ps", "-o", "args"]).stdout
    assert b"55555" not in listed


def test_daemon_ends_in_order_with_pods_running(node: Node) -> None:
    pod = node.run()
    pod.started()
    assert node.daemon.stop() == 0
    node.daemon.start()
    assert [item.id for item in node.client.pods()] == [pod.id]
