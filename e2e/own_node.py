"""A daemon for one test alone, with settings of its own.

Only starts and ends it; every check stays in the tests.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from e2e.conftest import HANDLERS
from e2e.daemon import Lading
from e2e.node import Node
from e2e.session import Session


@contextmanager
def own_node(session: Session, change: Callable[[Lading], None]) -> Iterator[Node]:
    """Give a daemon of its own whose settings were changed before its start."""
    places = (session.workspace, session.network, session.registry.rules)
    name = f"space-{secrets.token_hex(3)}"
    daemon = Lading(*places, default_handler=HANDLERS[0], instance=name)
    change(daemon)
    daemon.start()
    client = daemon.client()
    try:
        yield Node(session=session, daemon=daemon, client=client, handler=HANDLERS[0])
    finally:
        if daemon.process.running():
            client.remove_everything()
        client.close()
        daemon.stop()


def wait_until(true: Callable[[], bool]) -> None:
    """Wait for something with a deadline."""
    until = time.monotonic() + 60
    while not true():
        assert time.monotonic() < until
        time.sleep(0.05)


def wait_checked(node: Node) -> None:
    """Wait until the daemon has looked at what was written before its last crash: meanwhile removals leave that there."""
    assert isinstance(node.daemon, Lading)
    path = node.daemon.log

    def checked() -> bool:
        log = path.read_text(errors="replace")
        return log.rfind("things were damaged") >= log.rfind("the last stop was not clean")

    wait_until(checked)


def store_of(node: Node) -> Path:
    """Return the directory of the image store."""
    assert isinstance(node.daemon, Lading)
    return node.daemon.root / "images"
