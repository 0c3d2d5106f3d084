"""Short ways to ask a runtime for streaming URLs, and to look at what its process holds."""

from __future__ import annotations

import os
from dataclasses import dataclass

from cri.api import api_pb2
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


@dataclass(frozen=True)
class Holdings:
    """What a daemon's process has open."""

    descriptors: int
    threads: int
    resident_kb: int


def holdings(node: Node) -> Holdings:
    """Look at the daemon's process."""
    assert isinstance(node.daemon, Lading)
    pid = node.daemon.process.pid
    with open(f"/proc/{pid}/status") as file:
        fields = dict(line.split(":", 1) for line in file)
    return Holdings(
        descriptors=len(os.listdir(f"/proc/{pid}/fd")),
        threads=int(fields["Threads"]),
        resident_kb=int(fields["VmRSS"].split()[0]),
    )
