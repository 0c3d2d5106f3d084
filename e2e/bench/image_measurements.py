"""Measurements of images: pull, pull of a changed top layer, first start from cold, disk, memory, removal.

While a pull runs the node has many containers and is asked for their list all the time, as by a kubelet. The pages
that a measurement calls cold are dropped before it; what earlier work left to be written is written before.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cri.api import api_pb2
from e2e.bench.big_images import BigImage
from e2e.bench.contender import Contender, children
from e2e.bench.measurements import WORKLOAD, Samples, Surroundings
from e2e.bench.memory import processor_seconds, pss_kilobytes
from e2e.bench.results import percentile
from e2e.cri_client import DEADLINE, connected
from e2e.images.catalogue import IDLE
from e2e.kubelet_requests import ContainerShape, container_config, pod_config

_LIST_PAUSE = 0.025
_MEMORY_PAUSE = 0.2
_OF_PODS = ("conmon", "containerd-shim", "pause")
_BUSYBOX = "/bin/busybox"
_READ_ALL = f"{_BUSYBOX} find /content* -type f -exec {_BUSYBOX} cat {{}} + >/dev/null"


def fill_node(contender: Contender, place: Surroundings, containers: int) -> None:
    """Run the containers that lists have to show."""
    shape = place.shape(f"{contender.name}-images")
    config = pod_config(shape)
    pod_id = contender.client.run_pod(config)
    for number in range(containers):
        wanted = ContainerShape(name=f"c{number}", image=IDLE, command=tuple(WORKLOAD))
        container = contender.client.create(pod_id, container_config(shape, wanted), config)
        contender.client.start(container)


def image_life(contender: Contender, place: Surroundings, image: BigImage) -> Samples:
    """Measure one image from its pull to its removal."""
    root = contender.daemon.root
    before = disk_megabytes(root)
    with watched(contender) as watch:
        used = processor_use(contender)
        pull = seconds(lambda: contender.client.pull(image.reference))
        used = processor_use(contender) - used
    disk = disk_megabytes(root) - before
    start, reading = first_start(contender, place, image)
    os.sync()
    changed = seconds(lambda: contender.client.pull(image.changed))
    remove(contender, image.changed)
    os.sync()
    removal = seconds(lambda: remove(contender, image.reference))
    measured = {
        "pull s": pull,
        "processor s of the pull": used,
        "pull of a changed top layer s": changed,
        "remove s": removal,
        "first start, cold": start,
        "read all files, cold s": reading,
        "disk MB": disk,
        "peak memory MB": max(watch.megabytes),
        "ListContainers p99 while pulling": percentile(watch.lists, 0.99),
    }
    return {f"{image.name}: {metric}": [value] for metric, value in measured.items()}


def seconds(action: Callable[[], object]) -> float:
    """Return how long an action took."""
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def remove(contender: Contender, reference: str) -> None:
    """Remove an image."""
    spec = api_pb2.ImageSpec(image=reference)
    request = api_pb2.RemoveImageRequest(image=spec)
    contender.client.image.RemoveImage(request, timeout=DEADLINE)


def first_start(contender: Contender, place: Surroundings, image: BigImage) -> tuple[float, float]:
    """Start a container with no page cached, then read all its files with none cached again.

    Returns:
        Milliseconds of create and start, and seconds of the reading.
    """
    client = contender.client
    shape = place.shape(f"{contender.name}-{image.name.replace(' ', '-')}")
    config = pod_config(shape)
    pod_id = client.run_pod(config)
    wanted = ContainerShape(image=image.reference, command=(_BUSYBOX, "sleep", "86400"))
    request = container_config(shape, wanted)
    drop_caches()
    begin = time.perf_counter()
    container = client.create(pod_id, request, config)
    client.start(container)
    start = (time.perf_counter() - begin) * 1000
    drop_caches()
    begin = time.perf_counter()
    answer = client.exec_sync(container, ["/bin/sh", "-c", _READ_ALL], timeout=100)
    reading = time.perf_counter() - begin
    if answer.exit_code != 0:
        raise RuntimeError(f"{contender.name}: reading ended with {answer.exit_code}")
    client.stop_pod(pod_id)
    client.remove_pod(pod_id)
    return start, reading


def processor_use(contender: Contender) -> float:
    """Return the processor seconds of the daemon and of what it has started."""
    daemon = contender.daemon.process.pid
    return sum(map(processor_seconds, {daemon} | children(daemon)))


def drop_caches() -> None:
    """Write what is dirty, then forget every clean page, name and inode (proc(5), drop_caches)."""
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3\n")


def disk_megabytes(root: Path) -> float:
    """Return the blocks below a root, of its own filesystem and each inode once."""
    os.sync()
    own = root.stat().st_dev
    seen: set[int] = set()
    total = 0
    waiting = [root]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                found = entry.stat(follow_symlinks=False)
                if found.st_dev != own or found.st_ino in seen:
                    continue
                seen.add(found.st_ino)
                total += found.st_blocks * 512
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(Path(entry.path))
    return total / 1e6


def program_of(pid: int) -> str:
    """Return the name of a process's program; empty if it is gone."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


class Watch:
    """What was seen while something ran."""

    def __init__(self) -> None:
        """Start with nothing."""
        self.lists: list[float] = []
        """Milliseconds of each list."""
        self.megabytes: list[float] = []
        """Memory of the daemon and of its processes for pulls, a warm worker included."""


@contextmanager
def watched(contender: Contender) -> Iterator[Watch]:
    """List containers and look at memory all the time while the block runs."""
    watch, ended = Watch(), threading.Event()
    daemon = contender.daemon.process.pid
    of_pods = {pid for pid in children(daemon) if program_of(pid) in _OF_PODS}

    def lists() -> None:
        with connected(contender.daemon.address) as client:
            while not ended.wait(_LIST_PAUSE):
                watch.lists.append(seconds(client.containers) * 1000)

    def memory() -> None:
        while not ended.wait(_MEMORY_PAUSE):
            pids = {daemon} | children(daemon) - of_pods
            watch.megabytes.append(sum(map(pss_kilobytes, pids)) / 1024)

    threads = [threading.Thread(target=work, name=work.__name__) for work in (lists, memory)]
    for thread in threads:
        thread.start()
    try:
        yield watch
    finally:
        ended.set()
        for thread in threads:
            thread.join()
