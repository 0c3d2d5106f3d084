"""Fixtures of the end-to-end tests: one session per run, one daemon per handler, a clean check per test.

The tests need root; without it, or without the daemon in the work tree, they are skipped and say why.
LADING_E2E_RUNTIME=containerd runs them against the peer, to tell a test's own fault from the daemon's
(what the two do differently on purpose then fails).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from e2e.cgroup_setup import cgroups_for
from e2e.cri_client import answers
from e2e.daemon import Lading, lading_command
from e2e.images.catalogue import BUSYBOX
from e2e.leftovers import remove_pod_cgroups, sweep, take_snapshot, wait_clean
from e2e.node import Node
from e2e.reference_containerd import Containerd
from e2e.session import Session, private_session
from e2e.tool_paths import MissingTool

PEER = os.environ.get("LADING_E2E_RUNTIME") == "containerd"
HANDLERS = ("runc",) if PEER else ("crun", "runc")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip everything where it cannot run."""
    reason = ""
    if os.geteuid() != 0:
        reason = "end-to-end tests need root"
    elif not PEER:
        try:
            lading_command()
        except MissingTool as error:
            reason = str(error)
    if reason:
        for item in items:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def session() -> Iterator[Session]:
    """Give registry, network and folders for the whole run."""
    with private_session(keep="LADING_E2E_KEEP" in os.environ) as session, cgroups_for("crun"):
        yield session


@contextmanager
def running_node(session: Session, handler: str, instance: str) -> Iterator[Node]:
    """Run a daemon whose default handler is the given one."""
    places = (session.workspace, session.network, session.registry.rules)
    daemon: Lading | Containerd
    if PEER:
        daemon = Containerd(*places)
    else:
        daemon = Lading(*places, default_handler=handler, instance=instance)
    daemon.start()
    client = daemon.client()
    try:
        client.pull(BUSYBOX)
        yield Node(session=session, daemon=daemon, client=client, handler=handler)
    finally:
        client.close()
        daemon.stop()


@pytest.fixture(scope="session")
def nodes(session: Session) -> Iterator[dict[str, Node]]:
    """Give one daemon, seen once through each handler."""
    with running_node(session, HANDLERS[0], "lading") as node:
        yield {
            name: Node(session=session, daemon=node.daemon, client=node.client, handler=name)
            for name in HANDLERS
        }


@pytest.fixture
def node(nodes: dict[str, Node]) -> Iterator[Node]:
    """Give the daemon with its default handler; afterwards nothing may be left."""
    yield from left_clean(nodes[HANDLERS[0]])


@pytest.fixture(params=HANDLERS)
def each_node(request: pytest.FixtureRequest, nodes: dict[str, Node]) -> Iterator[Node]:
    """Give the daemon once per handler; afterwards nothing may be left."""
    yield from left_clean(nodes[str(request.param)])


def left_clean(node: Node) -> Iterator[Node]:
    """Look before and after a test; whatever it made and did not lose again is a failure."""
    if not answers(node.daemon.address):
        node.daemon.kill()
        node.daemon.start()
    places = (node.session.workspace, node.session.network)
    before = take_snapshot(*places)
    node.client.seen_ids.clear()
    yield node
    if not answers(node.daemon.address):
        log = node.daemon.process.tail()
        node.daemon.kill()
        node.daemon.start()
        pytest.fail(f"the daemon did not answer after the test; its log says:\n{log}")
    node.client.remove_everything()
    remove_pod_cgroups(node.session.workspace)
    left = wait_clean(before, *places, node.client.seen_ids)
    if left:
        # The next test must not suffer: a fresh daemon on swept ground.
        node.daemon.stop()
        sweep(*places, node.client.seen_ids, spare=before)
        pytest.fail("left behind:\n" + "\n".join(left))
