"""Operators ask a real daemon: status, versions, operations, metrics, over its socket and by curl."""

from __future__ import annotations

import json
import os
import re
import socket
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from e2e.command_line import CommandLine, rows
from e2e.conftest import PEER
from e2e.daemon import Lading
from e2e.kubelet_requests import pod_config
from e2e.node import Node
from e2e.own_node import wait_until

pytestmark = pytest.mark.skipif(PEER, reason="the peer has no admin socket")


SLOW_PLUGIN = """#!/bin/sh
[ "$CNI_COMMAND" != ADD ] || exec sleep 600
"""
NETWORK = re.compile(r"pod network is (\S+) from ")


@contextmanager
def slow_network(node: Node) -> Iterator[None]:
    """Attach pods by a plugin that takes minutes while the block runs."""
    network = node.session.network
    name = f"slow-{network.name}"  # the directory of plugins is that of all runs on this machine
    plugin, file = network.plugins / name, network.configuration / "00-slow.conflist"
    plugin.write_text(SLOW_PLUGIN)
    plugin.chmod(0o755)
    try:
        file.write_text(
            json.dumps({"cniVersion": "1.0.0", "name": name, "plugins": [{"type": name}]})
        )
        wait_network(node, name)
        yield
    finally:
        file.unlink()
        wait_network(node, network.name)
        plugin.unlink()


def wait_network(node: Node, name: str) -> None:
    """Wait until the daemon, which follows the directory of configurations, has taken a network for new pods."""
    assert isinstance(node.daemon, Lading)
    path = node.daemon.log
    wait_until(lambda: NETWORK.findall(path.read_text(errors="replace"))[-1:] == [name])


@pytest.fixture
def lading(node: Node) -> CommandLine:
    """Give the command line."""
    return CommandLine(node)


def test_status_counts_what_runs(node: Node, lading: CommandLine) -> None:
    pod = node.run()
    pod.started()
    answer = lading.json("status")
    assert (answer["schema"], answer["verdict"]) == ("lading.status/v1", "ready")
    counts = answer["counts"]
    assert isinstance(counts, dict)
    assert (counts["pods"], counts["containers_running"]) == (1, 1)
    assert lading("status", "--wait").out.startswith("ready, up for ")
    pod.remove()


def test_the_socket_is_for_root_alone_and_curl_works(lading: CommandLine) -> None:
    assert stat.S_IMODE(os.stat(lading.socket).st_mode) == 0o600
    assert '"verdict": "ready"' in lading.curl("/v1/status")
    assert '"exit": 4' in lading.curl("/v1/image/inspect?reference=none.test/x")
    assert "POST only" in lading.curl("/v1/image/prune")


def test_nonsense_and_idle_clients_leave_the_daemon_well(lading: CommandLine) -> None:
    ends = []
    for nonsense in (b"\x16\x03\x01hello", b"GET / HTTP/9\r\n\r\n", b"POST /v1/why HTTP/1.1\r\n"):
        end = socket.socket(socket.AF_UNIX)
        end.connect(lading.socket)
        end.sendall(nonsense)
        ends.append(end)
    assert lading.json("status")["verdict"] == "ready"
    for end in ends:
        end.close()


def test_versions_of_both_sides_are_told(lading: CommandLine) -> None:
    answer = lading.json("version")
    assert answer["client"] == answer["daemon"]
    assert {one["name"] for one in rows(answer, "handlers")} >= {"crun", "runc"}


def test_metrics_follow_what_happens(node: Node, lading: CommandLine) -> None:
    pod = node.run()
    node.client.wait_exited(pod.shell("exit 3"))
    pod.remove()
    page = lading("metrics").out
    for start in (
        'lading_rpc_total{code="OK",method="RunPodSandbox"}',
        'lading_stage_duration_seconds_count{operation="run",stage=',
        'lading_container_exits_total{reason="Error"}',
        'lading_ready{condition="NetworkReady"} 1.0',
        'lading_cni_duration_seconds_count{outcome="ok",plugin="bridge",verb="ADD"}',
        f'lading_oci_runtime_duration_seconds_count{{handler="{node.handler}",outcome="ok",verb="create"}}',
        f'lading_oci_runtime_duration_seconds_count{{handler="{node.handler}",outcome="ok",verb="start"}}',
        "lading_event_loop_lag_seconds_count",
    ):
        assert any(line.startswith(start) for line in page.splitlines()), start
    assert page == page.encode("ascii").decode()
    assert pod.id not in page
    assert sum(not line.startswith("#") for line in page.splitlines()) < 2000


def test_a_slow_start_is_an_operation_that_can_be_cancelled(
    node: Node, lading: CommandLine
) -> None:
    with slow_network(node):
        shape = node.shape()
        refusals: list[str] = []

        def run() -> None:
            try:
                node.client.run_pod(pod_config(shape), node.handler)
            except Exception as error:  # the refusal is what the test is about
                refusals.append(str(error))

        caller = threading.Thread(target=run)
        caller.start()
        found: list[dict[str, object]] = []
        until = time.monotonic() + 60
        while not found:
            assert time.monotonic() < until, f"the pod is not among the operations: {refusals}"
            found = [
                one
                for one in rows(lading.json("operations"), "operations")
                if one["stage"] and shape.name in str(one["object"])
            ]
        (one,) = found
        assert one["kind"] == "run"
        assert str(one["stage"]) in lading("operations", "show", str(one["id"])).out
        lading("operations", "cancel", str(one["id"]))
        caller.join(60)
    assert refusals
    assert "cancelled by an operator" in refusals[0]


def test_without_a_daemon_the_exit_code_is_5(lading: CommandLine) -> None:
    said = lading("status", "--admin", "unix:///nowhere/admin.sock", code=5)
    assert "lading serve" in said.err
