"""One test run's surroundings: workspace, pod network, registry with all images, and their removal.

Everything a daemon under test needs, in one context manager; what a run leaves is swept at its end.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from e2e.cni import PodNetwork, make_network
from e2e.images.cache import load_images
from e2e.leftovers import sweep
from e2e.private_namespaces import enter_private_namespaces
from e2e.registry import Registry, running_registry
from e2e.workspace import Workspace, make_workspace


@dataclass(frozen=True, kw_only=True)
class Session:
    """The places and services that daemons of one run share."""

    workspace: Workspace
    network: PodNetwork
    registry: Registry


def interrupted(number: int, frame: object) -> None:
    """Let SIGTERM (a CI's time limit) unwind like Ctrl-C, so that nothing of the run stays behind."""
    raise KeyboardInterrupt(f"ended by signal {number}")


@contextmanager
def private_session(*, keep: bool = False) -> Iterator[Session]:
    """Give a session in private namespaces; `keep` leaves the folders."""
    signal.signal(signal.SIGTERM, interrupted)
    enter_private_namespaces()
    images = load_images()
    workspace = make_workspace()
    network = make_network(workspace)
    try:
        with running_registry(workspace.folder("registry"), images) as registry:
            yield Session(workspace=workspace, network=network, registry=registry)
    finally:
        sweep(workspace, network)
        if not keep:
            workspace.remove()
