"""Short ways to ask a runtime for streaming URLs, and to look at what its process holds."""

from __future__ import annotations

import os
from dataclasses import dataclass

from cri.api import api_pb2
from e2e.command_line import CommandLine
from e2e.cri_client import DEADLINE
from e2e.daemon import Lading
from e2e.kubelet_requests import ContainerShape, container_config
from e2e.node import Node, Pod


def exec_url(
    node: Node, container: str, *words: str, stdin: bool = False, tty: bool = False
) -> str:
    """Ask for the URL of an exec."""
    request = api_pb2.ExecRequest(
        container_id=container, cmd=words, stdin=stdin, stdout=True, stderr=not tty, tty=tty
    )
    url: str = node.client.runtime.Exec(request, timeout=DEADLINE).url
    return url


def attach_url(node: Node, container: str, *, stdin: bool = False, tty: bool = False) -> str:
    """Ask for the URL of an attach."""
    request = api_pb2.AttachRequest(
        container_id=container, stdin=stdin, stdout=True, stderr=not tty, tty=tty
    )
    url: str = node.client.runtime.Attach(request, timeout=DEADLINE).url
    return url


def forward_url(node: Node, pod: str, *ports: int) -> str:
    """Ask for the URL of a port-forward."""
    request = api_pb2.PortForwardRequest(pod_sandbox_id=pod, port=ports)
    url: str = node.client.runtime.PortForward(request, timeout=DEADLINE).url
    return url


def interactive(
    pod: Pod,
    *words: str,
    stdin: bool = True,
    once: bool = False,
    tty: bool = False,
    name: str = "main",
) -> str:
    """Create and start a container whose own streams can be attached to."""
    config = container_config(pod.shape, ContainerShape(name=name, command=words))
    config.stdin, config.stdin_once, config.tty = stdin, once, tty
    container = pod.client.create(pod.id, config, pod.config)
    pod.client.start(container)
    return container


def serve(port: int, program: str) -> str:
    """Return a shell line that serves a program on a port.

    busybox takes the number of its l's for the queue of listen(2). Above a full queue the kernel answers with SYN cookies, and
    resets a connection that it took so and still has no room for: with -ll some of ten at once are lost inside the pod.
    """
    return f"nc -{'l' * 64} -p {port} -e {program}"


def gauges(node: Node) -> dict[str, int]:
    """Return what the daemon's own page says of its streaming server, and its tasks."""
    found = {}
    for line in CommandLine(node).curl("/metrics").splitlines():
        name, _, value = line.rpartition(" ")
        if name == "lading_tasks":
            found["tasks"] = int(float(value))
        elif name.startswith("lading_streaming{"):
            found[name.split('"')[1]] = int(float(value))
    return found


@dataclass(frozen=True)
class Holdings:
    """What a daemon's process has open, and what it says itself."""

    descriptors: int
    threads: int
    resident_kb: int
    tasks: int
    streaming: int
    """Sessions and connections; URLs that nobody came for are none of them."""

    def exceeds(self, other: Holdings) -> bool:
        """Tell whether more is held; two threads are a pool's own affair, a few tasks other requests'."""
        return (
            self.descriptors > other.descriptors
            or self.threads > other.threads + 2
            or self.tasks > other.tasks + 3
            or self.streaming > other.streaming
        )


def holdings(node: Node) -> Holdings:
    """Look at the daemon's process."""
    assert isinstance(node.daemon, Lading)
    pid = node.daemon.process.pid
    with open(f"/proc/{pid}/status") as file:
        fields = dict(line.split(":", 1) for line in file)
    own = gauges(node)
    return Holdings(
        descriptors=len(os.listdir(f"/proc/{pid}/fd")),
        threads=int(fields["Threads"]),
        resident_kb=int(fields["VmRSS"].split()[0]),
        tasks=own["tasks"],
        streaming=own["sessions"] + own["waiting_connections"],
    )
