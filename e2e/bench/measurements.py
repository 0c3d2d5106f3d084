"""The measurements: each runs one thing on one contender and returns samples by metric name.

Times are milliseconds of the client's clock around one call. Whatever a measurement makes it removes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from cri.api import api_pb2
from e2e.bench.contender import Contender
from e2e.bench.memory import pss_kilobytes, total_megabytes
from e2e.images.catalogue import IDLE
from e2e.kubelet_requests import ContainerShape, PodShape, container_config, pod_config

T = TypeVar("T")

WORKLOAD = ["/pause", "--idle"]
Samples = dict[str, list[float]]
SETTLE_SECONDS = 0.1
"""Before a contender's turn: what the one before still cleans up after its answer must not be paid by the next."""


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What every pod of the run has in common."""

    cgroup_parent: str
    log_root: str
    pid_mode: api_pb2.NamespaceMode

    def shape(self, name: str) -> PodShape:
        """Return the shape of a pod with this name."""
        return PodShape(
            name=name,
            cgroup_parent=self.cgroup_parent,
            log_root=self.log_root,
            pid_mode=self.pid_mode,
        )


@dataclass(frozen=True, kw_only=True)
class RunningPod:
    """A pod with one started container."""

    pod_id: str
    container_id: str


def milliseconds(action: Callable[[], object]) -> float:
    """Return how long an action took."""
    begin = time.perf_counter()
    action()
    return (time.perf_counter() - begin) * 1000


class Stopwatch:
    """Collects the parts of one operation and their sum."""

    def __init__(self) -> None:
        """Start with nothing."""
        self.samples: Samples = {}

    def part(self, name: str, action: Callable[[], T]) -> T:
        """Time one part and return its result."""
        begin = time.perf_counter()
        result = action()
        self.samples.setdefault(name, []).append((time.perf_counter() - begin) * 1000)
        return result

    def sum_as(self, name: str, parts: list[str]) -> None:
        """Record the sum of the parts as a metric of its own."""
        self.samples[name] = [sum(self.samples[part][-1] for part in parts)]


_RESTARTS = 3
UP = ["RunPodSandbox", "CreateContainer", "StartContainer"]
DOWN = ["StopContainer", "StopPodSandbox", "RemoveContainer", "RemovePodSandbox"]


def pod_up(contender: Contender, place: Surroundings, name: str, watch: Stopwatch) -> RunningPod:
    """Bring one pod up as the kubelet does, timing each call."""
    shape = place.shape(name)
    config = pod_config(shape)
    container = container_config(shape, ContainerShape(image=IDLE, command=tuple(WORKLOAD)))
    client = contender.client
    pod_id = watch.part("RunPodSandbox", lambda: client.run_pod(config))
    container_id = watch.part("CreateContainer", lambda: client.create(pod_id, container, config))
    watch.part("StartContainer", lambda: client.start(container_id))
    return RunningPod(pod_id=pod_id, container_id=container_id)


def pod_down(contender: Contender, pod: RunningPod, watch: Stopwatch) -> None:
    """Take one pod down as the kubelet does, timing each call."""
    client = contender.client
    watch.part("StopContainer", lambda: client.stop(pod.container_id, timeout=30))
    watch.part("StopPodSandbox", lambda: client.stop_pod(pod.pod_id))
    watch.part("RemoveContainer", lambda: client.remove(pod.container_id))
    watch.part("RemovePodSandbox", lambda: client.remove_pod(pod.pod_id))


def pod_cycle(contender: Contender, place: Surroundings, name: str) -> Samples:
    """Measure one pod's life, and in its middle an exec and a status."""
    watch = Stopwatch()
    pod = pod_up(contender, place, name, watch)
    watch.sum_as("pod up", UP)
    client = contender.client
    for _ in range(2):
        answer = watch.part("ExecSync", lambda: client.exec_sync(pod.container_id, ["true"]))
        if answer.exit_code != 0:
            raise RuntimeError(f"{contender.name}: exec of true ended with {answer.exit_code}")
        watch.part("ContainerStatus", lambda: client.status(pod.container_id))
        watch.part("PodSandboxStatus", lambda: client.pod_status(pod.pod_id))
    pod_down(contender, pod, watch)
    watch.sum_as("pod down", DOWN)
    return watch.samples


def pods_in_parallel(
    contender: Contender, place: Surroundings, name: str, total: int, threads: int
) -> Samples:
    """Measure how many pods come up, and go down, per second with several callers."""
    with ThreadPoolExecutor(threads) as pool:

        def up(number: int) -> RunningPod:
            return pod_up(contender, place, f"{name}-{number}", Stopwatch())

        def down(pod: RunningPod) -> None:
            pod_down(contender, pod, Stopwatch())

        begin = time.perf_counter()
        pods = list(pool.map(up, range(total)))
        middle = time.perf_counter()
        list(pool.map(down, pods))
        end = time.perf_counter()
    return {"pods up/s": [total / (middle - begin)], "pods down/s": [total / (end - middle)]}


def memory(contender: Contender, place: Surroundings, name: str, pods: int) -> Samples:
    """Measure the memory of the daemon with all its helpers but no pod, and of idle pods.

    What a pod costs is the growth of everything together, the daemon's own growth included. A worker that waits for the
    next pull, for some minutes after the last, is told apart.
    """
    worker = total_megabytes(contender.waiting_workers(), WORKLOAD)
    before = total_megabytes(contender.processes(), WORKLOAD) - worker
    running = [pod_up(contender, place, f"{name}-{number}", Stopwatch()) for number in range(pods)]
    time.sleep(2.0)
    after = total_megabytes(contender.processes() - contender.waiting_workers(), WORKLOAD)
    daemon = pss_kilobytes(contender.daemon.process.pid) / 1024
    for pod in running:
        pod_down(contender, pod, Stopwatch())
    return {
        "MB per idle pod": [(after - before) / pods],
        "MB of daemon": [before],
        "MB of daemon with pods": [daemon],
        "MB of a worker that waits": [worker],
    }


def big_list(
    contender: Contender, place: Surroundings, name: str, containers: int, calls: int
) -> Samples:
    """Measure lists, a restart and a removal on a node with many running containers."""
    shape = place.shape(name)
    config = pod_config(shape)
    client = contender.client
    pod_id = client.run_pod(config)
    for number in range(containers):
        wanted = ContainerShape(name=f"c{number}", image=IDLE, command=tuple(WORKLOAD))
        client.start(client.create(pod_id, container_config(shape, wanted), config))
    watch = Stopwatch()
    for _ in range(calls):
        listed = watch.part(f"ListContainers ({containers})", client.containers)
        if len(listed) != containers:
            raise RuntimeError(f"{contender.name}: {len(listed)} of {containers} listed")
    for _ in range(_RESTARTS):
        seconds = contender.time_start()
        watch.samples.setdefault(f"daemon start ({containers})", []).append(seconds * 1000)
    client = contender.client
    if len(client.containers()) != containers:
        raise RuntimeError(f"{contender.name} lost containers in a restart")
    client.stop_pod(pod_id)
    watch.part(f"RemovePodSandbox ({containers})", lambda: client.remove_pod(pod_id))
    return watch.samples
