"""Many callers at once: every pod gets its own address, no call waits for another's trouble."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from e2e.kubelet_requests import pod_config
from e2e.node import Node, Pod

PODS = 20
T = TypeVar("T")


def in_parallel(action: Callable[[int], T], count: int = PODS) -> list[T]:
    """Run an action with each number at the same time and return the results."""
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(action, range(count)))


def test_twenty_pods_come_and_go_together(each_node: Node) -> None:
    def life(number: int) -> tuple[Pod, str]:
        pod = each_node.run(each_node.shape(f"par{number}"))
        return pod, pod.started()

    running = in_parallel(life)
    addresses = {each_node.client.pod_status(pod.id).network.ip for pod, _ in running}
    assert len(addresses) == PODS
    assert len(each_node.client.containers()) == PODS

    def greet(number: int) -> bytes:
        command = ["echo", f"hello {number}"]
        return each_node.client.exec_sync(running[number][1], command).stdout

    assert in_parallel(greet) == [f"hello {number}\n".encode() for number in range(PODS)]
    in_parallel(lambda number: running[number][0].remove())
    assert each_node.client.pods() == []
    assert each_node.client.containers() == []


def test_equal_requests_at_once_make_one_pod(node: Node) -> None:
    config = pod_config(node.shape("twin"))
    ids = in_parallel(lambda _: node.client.run_pod(config), 6)
    assert len(set(ids)) == 1
    assert [pod.id for pod in node.client.pods()] == [ids[0]]


def test_equal_creates_at_once_make_one_container(node: Node) -> None:
    pod = node.run()
    ids = in_parallel(lambda _: pod.create(), 6)
    assert len(set(ids)) == 1
    assert [container.id for container in node.client.containers()] == [ids[0]]


def test_stop_and_remove_at_once_are_all_answered(node: Node) -> None:
    pods = [node.run(node.shape(f"gone{number}")) for number in range(4)]
    for pod in pods:
        pod.started()

    def either(number: int) -> None:
        pod = pods[number % 4]
        (node.client.stop_pod if number < 8 else node.client.remove_pod)(pod.id)

    in_parallel(either, 16)
    assert node.client.pods() == []


def test_lists_are_whole_while_pods_come_and_go(node: Node) -> None:
    steady = {node.run(node.shape(f"steady{number}")).id for number in range(3)}

    def work(number: int) -> bool:
        if number % 2:
            node.run(node.shape(f"brief{number}")).remove()
            return True
        return all(steady <= {pod.id for pod in node.client.pods()} for _ in range(10))

    assert all(in_parallel(work, 12))
