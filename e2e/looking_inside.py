"""Ways to change a container's request before it is sent, and to look at what came of it.

Only shortens tests; every check stays in them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from cri.api import api_pb2
from e2e.daemon import Lading
from e2e.kubelet_requests import ContainerShape
from e2e.node import Node

Change = Callable[[api_pb2.ContainerConfig], None]
LIST_OWN = (
    "sleep 1000 & until grep -q ^sleep /proc/$!/cmdline; do sleep 0.01; done; "
    "ls /proc/$!/fd | tr '\\n' ' '; kill $!"
)
"""Lists the descriptors of a program that has begun: before, the shell that becomes it may be changing them."""


def of_image(config: api_pb2.ContainerConfig) -> None:
    """Leave the user to the image."""
    config.linux.security_context.ClearField("run_as_user")


def as_user(uid: int) -> Change:
    """Run as a user."""

    def change(config: api_pb2.ContainerConfig) -> None:
        config.linux.security_context.run_as_user.value = uid

    return change


def read_only(config: api_pb2.ContainerConfig) -> None:
    """Make the root filesystem read-only."""
    config.linux.security_context.readonly_rootfs = True


def privileged_pod(config: api_pb2.PodSandboxConfig) -> None:
    """Make a pod privileged."""
    config.linux.security_context.privileged = True


def script(text: str, image: str = "") -> ContainerShape:
    """Return a container that runs a shell script."""
    shape = ContainerShape(command=("sh", "-c", text))
    return replace(shape, image=image) if image else shape


def output(node: Node, container_id: str, *command: str) -> str:
    """Return what a command prints in a container."""
    answer = node.client.exec_sync(container_id, list(command))
    assert answer.exit_code == 0, answer.stderr
    return answer.stdout.decode().strip()


def bundle_of(node: Node, container_id: str) -> Path:
    """Return the directory that the runtime was given."""
    assert isinstance(node.daemon, Lading)
    return node.daemon.state / "containers" / container_id


def spec_text(node: Node, container_id: str) -> str:
    """Return the config.json that the runtime was given."""
    return (bundle_of(node, container_id) / "config.json").read_text()


def first_pid(node: Node, container_id: str) -> int:
    """Return the pid of a container's first process, as the daemon's host sees it."""
    return int((bundle_of(node, container_id) / "pid").read_text())
