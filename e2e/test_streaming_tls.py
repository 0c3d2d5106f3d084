"""The streaming server over TLS, and what sessions are told when the daemon stops."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cri.api import api_pb2
from e2e.conftest import HANDLERS, PEER
from e2e.daemon import Lading
from e2e.images.catalogue import BUSYBOX
from e2e.node import Node
from e2e.session import Session
from e2e.streaming_client import TRANSPORTS, built_client, run_reports
from e2e.streaming_client.urls import exec_url

pytestmark = pytest.mark.skipif(PEER, reason="about Lading's own settings")


@pytest.fixture
def tls_node(session: Session, tmp_path: Path) -> Iterator[Node]:
    """Run a daemon with a certificate that does not exist yet, so that it is generated."""
    places = (session.workspace, session.network, session.registry.rules)
    daemon = Lading(*places, default_handler=HANDLERS[0], instance="tls")
    daemon.section("streaming").update(
        {"tls_cert": str(tmp_path / "tls.crt"), "tls_key": str(tmp_path / "tls.key")}
    )
    daemon.start()
    client = daemon.client()
    try:
        client.pull(BUSYBOX)
        yield Node(session=session, daemon=daemon, client=client, handler=HANDLERS[0])
    finally:
        if daemon.process.running():
            client.remove_everything()
        client.close()
        daemon.stop()


def test_both_transports_work_over_a_generated_certificate(tls_node: Node, tmp_path: Path) -> None:
    container = tls_node.run().started()
    for _ in range(2):
        for transport in TRANSPORTS:
            url = exec_url(tls_node, container, "cat", stdin=True)
            assert url.startswith("https://127.0.0.1:")
            flags = ("-transport", transport, "-stdin", "-send", "20000000")
            (report,) = run_reports([url], *flags)
            assert (report.error, report.stdout_sha256) == ("", report.sent_sha256)
        # A pair that is gone is not generated under a running daemon; the loaded one goes on.
        (tmp_path / "tls.key").unlink(missing_ok=True)


def test_open_sessions_are_told_that_the_daemon_stops(tls_node: Node) -> None:
    container = tls_node.run().started()
    url = exec_url(tls_node, container, "sh", "-c", "echo begun; sleep 1000")
    process = subprocess.Popen(
        [str(built_client()), "command", url], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"begun\n"
    begin = time.monotonic()
    tls_node.daemon.stop()
    seconds = time.monotonic() - begin
    _, errors = process.communicate(timeout=15)
    assert process.returncode == 125
    assert b"the container runtime is stopping" in errors
    assert seconds < 15
    tls_node.daemon.start()
    assert tls_node.client.status(container).state == api_pb2.CONTAINER_RUNNING
