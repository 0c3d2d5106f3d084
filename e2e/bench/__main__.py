"""Measure runtimes side by side: `python -m e2e.bench [--runtimes lading,containerd]`.

Contenders take turns within every round, so that what else the machine does meets all of them alike.
Milliseconds unless the metric says otherwise.
"""

from __future__ import annotations

import argparse
import os
import platform
from contextlib import ExitStack
from pathlib import Path

from cri.api import api_pb2
from e2e.bench.contender import NAMES, Contender, start_contender
from e2e.bench.measurements import Surroundings, big_list, memory, pod_cycle, pods_in_parallel
from e2e.bench.results import Results, as_json, as_markdown, as_text
from e2e.bench.streaming_measurements import StreamingPod, exec_latency, throughput
from e2e.cgroup_setup import cgroups_for
from e2e.images.catalogue import IDLE
from e2e.session import private_session

PID_MODES = {"container": api_pb2.CONTAINER, "pod": api_pb2.POD}


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m e2e.bench", description=__doc__)
    parser.add_argument("--runtimes", default="lading,containerd", help=f"of {', '.join(NAMES)}")
    parser.add_argument("--rounds", type=int, default=30, help="pods per contender, one by one")
    parser.add_argument("--parallel", type=int, default=8, help="callers at the same time")
    parser.add_argument("--parallel-pods", type=int, default=40, help="pods for pods/s")
    parser.add_argument("--containers", type=int, default=200, help="containers for the big list")
    parser.add_argument("--idle-pods", type=int, default=20, help="pods for the memory figure")
    parser.add_argument("--starts", type=int, default=5, help="daemon starts")
    parser.add_argument("--streams", type=int, default=3, help="rounds of 256 MiB per stream")
    parser.add_argument("--pid-mode", choices=sorted(PID_MODES), default="container")
    parser.add_argument("--json", type=Path, help="write all samples here")
    parser.add_argument("--markdown", type=Path, help="write the table here")
    return parser.parse_args()


def measure(
    contenders: list[Contender], place: Surroundings, options: argparse.Namespace
) -> Results:
    """Run every measurement, contenders interleaved; the first round is warm-up and is dropped."""
    results = Results()
    for number in range(options.rounds + 1):
        for contender in contenders:
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
    if options.containers:
        for contender in contenders:
            name = f"{contender.name}-l"
            measured = big_list(contender, place, name, options.containers, 50)
            results.add(contender.name, measured)
    if options.streams:
        measure_streams(contenders, place, options, results)
    for _ in range(options.starts):
        for contender in contenders:
            seconds = contender.time_start()
            results.add(contender.name, {"daemon start": [seconds * 1000]})
    return results


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
            results.add(pod.contender.name, exec_latency(pod))
    for _ in range(options.streams):
        for pod in pods:
            results.add(pod.contender.name, throughput(pod, Path(place.log_root)))
    for pod in pods:
        pod.remove()


def conditions(options: argparse.Namespace) -> str:
    """Say in one sentence what was measured where."""
    return (
        f"{os.cpu_count()} cores, Linux {platform.release()}, pid mode {options.pid_mode}, "
        f"{options.rounds} rounds interleaved; milliseconds unless the metric says otherwise."
    )


def main() -> None:
    """Start the contenders, measure, print."""
    options = arguments()
    with private_session() as session, cgroups_for("crun"), ExitStack() as stack:
        contenders = []
        for name in options.runtimes.split(","):
            contender = start_contender(name, session)
            stack.callback(contender.close)
            contender.client.pull(IDLE)
            contenders.append(contender)
        place = Surroundings(
            cgroup_parent=session.workspace.cgroup_parent,
            log_root=str(session.workspace.folder("pod-logs")),
            pid_mode=PID_MODES[options.pid_mode],
        )
        results = measure(contenders, place, options)
    print(conditions(options))
    print(as_text(results))
    if options.json:
        options.json.write_text(as_json(results, conditions(options)))
    if options.markdown:
        options.markdown.write_text(as_markdown(results, conditions(options)))


if __name__ == "__main__":
    main()
