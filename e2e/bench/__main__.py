"""Measure runtimes side by side: `python -m e2e.bench [--only images] [--runtimes lading,containerd]`.

Contenders take turns within every round, so that what else the machine does meets all of them alike.
Milliseconds unless the metric says otherwise.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from contextlib import ExitStack
from operator import itemgetter
from pathlib import Path

from cri.api import api_pb2
from e2e.bench.big_images import IMAGES, big_registry, blob_path, layer_blobs, read_into_cache
from e2e.bench.bounds import bound_of, measured_rates
from e2e.bench.contender import NAMES, Contender, start_contender
from e2e.bench.image_measurements import fill_node, image_life
from e2e.bench.measurements import (
    SETTLE_SECONDS,
    Surroundings,
    big_list,
    memory,
    pod_cycle,
    pods_in_parallel,
)
from e2e.bench.results import BOUND, Results, as_json, as_markdown, as_text
from e2e.bench.streaming_measurements import StreamingPod, exec_latency, idle_sessions, throughput
from e2e.cgroup_setup import cgroups_for
from e2e.images.catalogue import IDLE
from e2e.session import Session, private_session

GROUPS = ("pods", "lists", "streams", "starts", "images")
PID_MODES = {"container": api_pb2.CONTAINER, "pod": api_pb2.POD}


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    names = [image.name for image in IMAGES]
    parser = argparse.ArgumentParser(prog="python -m e2e.bench", description=__doc__)
    parser.add_argument("--runtimes", default="lading,containerd", help=f"of {', '.join(NAMES)}")
    parser.add_argument("--only", default=",".join(GROUPS), help=f"of {', '.join(GROUPS)}")
    parser.add_argument("--rounds", type=int, default=30, help="pods per contender, one by one")
    parser.add_argument("--parallel", type=int, default=8, help="callers at the same time")
    parser.add_argument("--parallel-pods", type=int, default=40, help="pods for pods/s")
    parser.add_argument("--containers", type=int, default=200, help="containers for the big list")
    parser.add_argument("--idle-pods", type=int, default=20, help="pods for the memory figure")
    parser.add_argument("--starts", type=int, default=5, help="daemon starts")
    parser.add_argument("--streams", type=int, default=3, help="rounds of 256 MiB per stream")
    parser.add_argument("--images", default=",".join(names), help=f"of {', '.join(names)}")
    parser.add_argument("--image-rounds", type=int, default=3, help="lives of each image")
    parser.add_argument("--image-scale", type=float, default=1.0, help="size of the big images")
    parser.add_argument("--image-containers", type=int, default=75, help="listed during pulls")
    parser.add_argument("--pid-mode", choices=sorted(PID_MODES), default="container")
    parser.add_argument("--json", type=Path, help="write all samples here")
    parser.add_argument("--markdown", type=Path, help="write the table here")
    return parser.parse_args()


def measure(
    contenders: list[Contender], place: Surroundings, options: argparse.Namespace
) -> Results:
    """Run every measurement that was asked for, but those of images; contenders interleaved."""
    results = Results()
    groups = options.only.split(",")
    if "pods" in groups:
        measure_pods(contenders, place, options, results)
    if "lists" in groups and options.containers:
        for contender in contenders:
            name = f"{contender.name}-l"
            measured = big_list(contender, place, name, options.containers, 50)
            results.add(contender.name, measured)
    if "streams" in groups and options.streams:
        measure_streams(contenders, place, options, results)
    if "starts" in groups:
        for _ in range(options.starts):
            for contender in contenders:
                seconds = contender.time_start()
                results.add(contender.name, {"daemon start": [seconds * 1000]})
    return results


def measure_pods(
    contenders: list[Contender],
    place: Surroundings,
    options: argparse.Namespace,
    results: Results,
) -> None:
    """Measure lives of pods and their memory; the first round is warm-up and is dropped."""
    for number in range(options.rounds + 1):
        for contender in contenders:
            time.sleep(SETTLE_SECONDS)
            measured = pod_cycle(contender, place, f"{contender.name}-r{number}")
            if number > 0:
                results.add(contender.name, measured)
    for number in range(2):
        for contender in contenders:
            name = f"{contender.name}-p{number}"
            count = options.parallel_pods
            measured = pods_in_parallel(contender, place, name, count, options.parallel)
            results.add(contender.name, measured)
    for contender in contenders:
        name = f"{contender.name}-m"
        results.add(contender.name, memory(contender, place, name, options.idle_pods))


def measure_images(
    session: Session, place: Surroundings, options: argparse.Namespace, results: Results
) -> str:
    """Measure big images on daemons of their own, extraction among them; return what bounds them."""
    folder, scale = session.workspace.folder("big-images"), options.image_scale
    names = [name for name in options.runtimes.split(",") if name != "lading-runc"]
    if "lading" in names:
        names.insert(names.index("lading") + 1, "lading-extract")
    with big_registry(folder, session.registry.rules, scale) as registry, ExitStack() as stack:
        samples = {
            image.compression: blob_path(folder, max(blobs, key=itemgetter(1))[0])
            for image in IMAGES
            if (blobs := layer_blobs(registry.address, image.reference))
        }
        rates = measured_rates(samples, folder)
        contenders = [opened(stack, name, session) for name in dict.fromkeys(names)]
        for contender in contenders:
            fill_node(contender, place, options.image_containers)
        for image in IMAGES:
            if image.name in options.images.split(","):
                results.add(BOUND, bound_of(image, scale, rates, registry))
                for _ in range(options.image_rounds):
                    for contender in contenders:
                        read_into_cache(folder)
                        results.add(contender.name, image_life(contender, place, image))
        return rates.said()


def measure_streams(
    contenders: list[Contender],
    place: Surroundings,
    options: argparse.Namespace,
    results: Results,
) -> None:
    """Measure short execs and long streams, contenders interleaved."""
    pods = [StreamingPod(contender, place, f"{contender.name}-s") for contender in contenders]
    for _ in range(options.rounds):
        for pod in pods:
            time.sleep(SETTLE_SECONDS)
            results.add(pod.contender.name, exec_latency(pod))
    for _ in range(options.streams):
        for pod in pods:
            results.add(pod.contender.name, throughput(pod, Path(place.log_root)))
    for pod in pods:
        results.add(pod.contender.name, idle_sessions(pod))
    for pod in pods:
        pod.remove()


def conditions(options: argparse.Namespace) -> str:
    """Say in one sentence what was measured where."""
    return (
        f"{os.cpu_count()} cores, Linux {platform.release()}, pid mode {options.pid_mode}, "
        f"{options.rounds} rounds interleaved; milliseconds unless the metric says otherwise."
    )


def opened(stack: ExitStack, name: str, session: Session) -> Contender:
    """Start a contender that ends with the stack."""
    contender = start_contender(name, session)
    stack.callback(contender.close)
    contender.client.pull(IDLE)
    return contender


def main() -> None:
    """Start the contenders, measure, print."""
    options = arguments()
    bounds = ""
    with private_session() as session, cgroups_for("crun"):
        place = Surroundings(
            cgroup_parent=session.workspace.cgroup_parent,
            log_root=str(session.workspace.folder("pod-logs")),
            pid_mode=PID_MODES[options.pid_mode],
        )
        results = Results()
        if options.only != "images":
            with ExitStack() as stack:
                names = options.runtimes.split(",")
                contenders = [opened(stack, name, session) for name in names]
                results = measure(contenders, place, options)
        if "images" in options.only.split(","):
            bounds = measure_images(session, place, options, results)
    said = f"{conditions(options)} {bounds}".strip()
    print(said)
    print(as_text(results))
    if options.json:
        options.json.write_text(as_json(results, said))
    if options.markdown:
        options.markdown.write_text(as_markdown(results, said))


if __name__ == "__main__":
    main()
