"""The streaming server over TLS, and what sessions are told when the daemon stops."""

from __future__ import annotations

import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cri.api import api_pb2
from cri.streaming.certificate_making import generate_certificate
from e2e.conftest import HANDLERS, PEER
from e2e.daemon import Lading
from e2e.images.catalogue import BUSYBOX
from e2e.node import Node
from e2e.session import Session
from e2e.streaming_client import TRANSPORTS, built_client, run_reports
from e2e.streaming_client.by_hand import connect
from e2e.streaming_client.urls import exec_url
from e2e.test_exec_attach_forward import wait

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


def served_certificate(url: str) -> bytes:
    """Return what a new connection is shown."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with connect(url) as plain, context.wrap_socket(plain) as connection:
        return connection.getpeercert(binary_form=True) or b""


def in_der(path: Path) -> bytes:
    """Return a certificate of a file."""
    return ssl.PEM_cert_to_DER_cert(path.read_text())


def test_changed_certificate_is_for_new_connections_and_open_ones_go_on(
    tls_node: Node, tmp_path: Path
) -> None:
    container = tls_node.run().started()
    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    first = in_der(certificate)
    words = [str(built_client()), "command", "-stdin"]
    url = exec_url(tls_node, container, "cat", stdin=True)
    open_one = subprocess.Popen([*words, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert open_one.stdin is not None
    assert open_one.stdout is not None

    def echo(text: bytes) -> None:
        assert open_one.stdin is not None
        assert open_one.stdout is not None
        open_one.stdin.write(text)
        open_one.stdin.flush()
        assert open_one.stdout.readline() == text

    echo(b"under the first\n")
    generate_certificate(tmp_path / "new.crt", tmp_path / "new.key")
    second = in_der(tmp_path / "new.crt")
    # A certificate whose key comes later, as rotation tools write them, must break nothing in between.
    (tmp_path / "new.crt").rename(certificate)
    assert served_certificate(exec_url(tls_node, container, "true")) == first
    echo(b"between\n")
    (tmp_path / "new.key").rename(key)
    assert served_certificate(exec_url(tls_node, container, "true")) == second
    echo(b"under the second\n")
    key.write_text("no key at all")
    assert served_certificate(exec_url(tls_node, container, "true")) == second
    wait(lambda: "the old one stays" in tls_node.daemon.log.read_text())
    (report,) = run_reports([exec_url(tls_node, container, "echo", "fine")])
    assert (report.error, report.stdout_bytes) == ("", 5)
    open_one.stdin.close()
    assert open_one.wait(30) == 0
    open_one.stdout.close()


def test_open_sessions_are_told_that_the_daemon_stops(tls_node: Node) -> None:
    container = tls_node.run().started()
    url = exec_url(tls_node, container, "sh", "-c", "echo begun; sleep 1000")
    process = subprocess.Popen(
        [str(built_client()), "command", url], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"begun\n"
    begin = time.monotonic()
    assert tls_node.daemon.stop() == 0  # by itself, with a session that would go on
    assert time.monotonic() - begin < 30
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 125
    assert b"the container runtime is stopping" in errors
    tls_node.daemon.start()
    assert tls_node.client.status(container).state == api_pb2.CONTAINER_RUNNING
