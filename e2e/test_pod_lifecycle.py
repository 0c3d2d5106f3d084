"""The life of a pod on each OCI runtime, as the kubelet and its users see it."""

from __future__ import annotations

import http.client
import ipaddress
import time
from dataclasses import replace
from pathlib import Path

import grpc
import pytest

from cri.api import api_pb2
from e2e.cni import SUBNET
from e2e.images.catalogue import BUSYBOX, NGINX
from e2e.kubelet_requests import NAMESPACE, ContainerShape, container_config
from e2e.node import Node, log_lines, refusal, wait_log
from e2e.registry import free_port

MEGABYTE = 1024 * 1024


def output(node: Node, container_id: str, script: str) -> str:
    """Return what a script prints in a container."""
    answer = node.client.exec_sync(container_id, ["sh", "-c", script], timeout=60)
    assert answer.exit_code == 0, answer.stderr
    return answer.stdout.decode().strip()


def test_pod_is_ready_with_address_and_what_was_asked(each_node: Node) -> None:
    pod = each_node.run()
    status = each_node.client.pod_status(pod.id)
    assert status.state == api_pb2.SANDBOX_READY
    assert ipaddress.ip_address(status.network.ip) in ipaddress.ip_network(SUBNET)
    assert status.metadata == pod.config.metadata
    assert dict(status.labels) == dict(pod.config.labels)
    assert dict(status.annotations) == dict(pod.config.annotations)
    assert status.runtime_handler == each_node.handler
    assert status.linux.namespaces.options == pod.shape.namespaces()
    assert status.created_at > 0


def test_container_sees_hostname_resolver_and_own_address(each_node: Node) -> None:
    pod = each_node.run()
    container_id = pod.started()
    assert output(each_node, container_id, "hostname") == pod.config.hostname
    resolver = output(each_node, container_id, "cat /etc/resolv.conf").splitlines()
    assert "nameserver 10.96.0.10" in resolver
    assert f"search {NAMESPACE}.svc.cluster.local svc.cluster.local cluster.local" in resolver
    assert "options ndots:5" in resolver
    address = each_node.client.pod_status(pod.id).network.ip
    assert address in output(each_node, container_id, "ip addr show eth0")
    assert "LOOPBACK,UP" in output(each_node, container_id, "ip link show lo")


def test_log_has_every_line_with_its_stream(each_node: Node) -> None:
    pod = each_node.run()
    container_id = pod.shell("echo out; echo err >&2; printf partial")
    status = each_node.client.wait_exited(container_id)
    assert status.log_path == f"{pod.config.log_directory}/main/0.log"
    lines = {(line.stream, line.tag, line.text) for line in log_lines(status.log_path)}
    assert {("stdout", "F", "out"), ("stderr", "F", "err")} <= lines
    assert any(text == "partial" for _, _, text in lines)


def test_exec_returns_both_streams_and_the_code(each_node: Node) -> None:
    container_id = each_node.run().started()
    answer = each_node.client.exec_sync(container_id, ["sh", "-c", "echo a; echo b >&2; exit 3"])
    assert (answer.stdout, answer.stderr, answer.exit_code) == (b"a\n", b"b\n", 3)


def test_exec_ends_at_its_timeout_and_kills_the_command(each_node: Node) -> None:
    container_id = each_node.run().started()
    code = refusal(lambda: each_node.client.exec_sync(container_id, ["sleep", "4321"], timeout=1))
    assert code == grpc.StatusCode.DEADLINE_EXCEEDED
    assert "4321" not in output(each_node, container_id, "ps -o args | grep -v grep || true")


def test_stats_count_cpu_and_memory(each_node: Node) -> None:
    pod = each_node.run()
    container_id = pod.shell("i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; sleep 1000")
    request = api_pb2.ContainerStatsRequest(container_id=container_id)
    stats = each_node.client.runtime.ContainerStats(request, timeout=60).stats
    assert stats.cpu.usage_core_nano_seconds.value > 0
    assert stats.memory.working_set_bytes.value > 0
    assert stats.cpu.timestamp > 0
    assert stats.memory.timestamp > 0
    pod_request = api_pb2.PodSandboxStatsRequest(pod_sandbox_id=pod.id)
    pod_stats = each_node.client.runtime.PodSandboxStats(pod_request, timeout=20).stats
    assert pod_stats.linux.network.default_interface.name == "eth0"


def test_update_reaches_cgroup_and_status(each_node: Node) -> None:
    pod = each_node.run()
    container_id = pod.started(ContainerShape(memory_limit=64 * MEGABYTE))
    wanted = api_pb2.LinuxContainerResources(memory_limit_in_bytes=128 * MEGABYTE)
    request = api_pb2.UpdateContainerResourcesRequest(container_id=container_id, linux=wanted)
    each_node.client.runtime.UpdateContainerResources(request, timeout=20)
    status = each_node.client.status(container_id)
    assert status.resources.linux.memory_limit_in_bytes == 128 * MEGABYTE
    assert status.resources.linux.cpu_shares == 102
    paths = "/sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max"
    assert str(128 * MEGABYTE) in output(each_node, container_id, f"cat {paths} 2>/dev/null; true")


@pytest.mark.parametrize(
    ("trap", "timeout", "code"),
    [("trap 'exit 5' TERM", 20, 5), ("trap '' TERM", 1, 137), ("true", 0, 137)],
)
def test_stop_signals_then_kills(each_node: Node, trap: str, timeout: int, code: int) -> None:
    pod = each_node.run()
    container_id = pod.shell(f"{trap}; echo ready; while :; do sleep 0.05; done")
    wait_log(each_node.client, container_id, 1)
    each_node.client.stop(container_id, timeout=timeout)
    status = each_node.client.status(container_id)
    assert status.state == api_pb2.CONTAINER_EXITED
    assert status.exit_code == code
    assert status.finished_at >= status.started_at > 0


def test_exit_code_and_reason_are_told(each_node: Node) -> None:
    pod = each_node.run()
    for name, script, code, reason in (
        ("ok", "true", 0, "Completed"),
        ("bad", "exit 9", 9, "Error"),
    ):
        container_id = pod.shell(script, name=name)
        status = each_node.client.wait_exited(container_id)
        assert (status.exit_code, status.reason) == (code, reason)


def test_stop_and_remove_may_be_repeated(each_node: Node) -> None:
    pod = each_node.run()
    container_id = pod.started()
    for _ in range(2):
        each_node.client.stop(container_id)
    for _ in range(2):
        each_node.client.remove(container_id)
    for _ in range(2):
        each_node.client.stop_pod(pod.id)
    assert each_node.client.pod_status(pod.id).state == api_pb2.SANDBOX_NOTREADY
    for _ in range(2):
        each_node.client.remove_pod(pod.id)
    assert refusal(lambda: each_node.client.pod_status(pod.id)) == grpc.StatusCode.NOT_FOUND


def test_stopped_pod_takes_no_container(each_node: Node) -> None:
    pod = each_node.run()
    each_node.client.stop_pod(pod.id)
    assert refusal(pod.create) == grpc.StatusCode.FAILED_PRECONDITION


def test_shared_pid_namespace_shows_all_processes(each_node: Node) -> None:
    pod = each_node.run(each_node.with_pid_mode(api_pb2.POD))
    pod.started(ContainerShape(name="first", command=("sleep", "77777")))
    second = pod.started(ContainerShape(name="second"))
    output(each_node, second, "until ps -o args | grep -q '[7]7777'; do sleep 0.02; done")


def test_containers_share_network_and_may_be_restarted(each_node: Node) -> None:
    pod = each_node.run()
    first = pod.shell("nc -l -p 8080 </dev/null; exit 4", name="first")
    second = pod.started(ContainerShape(name="second"))
    output(each_node, second, "until nc 127.0.0.1 8080 </dev/null; do sleep 0.05; done")
    assert each_node.client.wait_exited(first).exit_code == 4
    again = pod.started(ContainerShape(name="first", attempt=1))
    assert each_node.client.status(again).metadata.attempt == 1


def test_host_network_pod_has_no_address_of_its_own(node: Node) -> None:
    node.run()  # the bridge comes with the first pod that has an address
    pod = node.run(replace(node.shape(), network_mode=api_pb2.NODE))
    assert node.client.pod_status(pod.id).network.ip == ""
    container_id = pod.started()
    assert node.session.network.bridge in output(node, container_id, "ip link")


def test_host_port_and_pod_address_reach_the_server(node: Node) -> None:
    node.client.pull(NGINX)
    port = free_port()
    mapping = api_pb2.PortMapping(protocol=api_pb2.TCP, container_port=80, host_port=port)
    pod = node.run(replace(node.shape(), ports=(mapping,)))
    shape = ContainerShape(image=NGINX, command=())
    pod.started(shape)
    address = node.client.pod_status(pod.id).network.ip
    for host, number in (("127.0.0.1", port), (address, 80)):
        assert "It works" in page(host, number)
    node.client.stop_pod(pod.id)
    with pytest.raises(OSError, match=r"refused|timed out|unreachable|route"):
        http_get("127.0.0.1", port)


def http_get(host: str, port: int) -> str:
    """Return the page a server gives."""
    connection = http.client.HTTPConnection(host, port, timeout=10)
    connection.request("GET", "/")
    return connection.getresponse().read().decode()


def page(host: str, port: int) -> str:
    """Return the page a server gives, waiting for it to listen."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return http_get(host, port)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def test_reopened_log_exists_when_the_call_returns(each_node: Node) -> None:
    pod = each_node.run()
    container_id = pod.shell("while :; do echo tick; sleep 0.05; done")
    wait_log(each_node.client, container_id, 1)
    path = Path(each_node.client.status(container_id).log_path)
    path.rename(path.with_suffix(".rotated"))
    request = api_pb2.ReopenContainerLogRequest(container_id=container_id)
    each_node.client.runtime.ReopenContainerLog(request, timeout=20)
    assert path.exists()
    assert set(wait_log(each_node.client, container_id, 2)) == {"tick"}


def test_mounted_directory_is_shared_with_the_host(each_node: Node) -> None:
    source = each_node.session.workspace.folder("volume-" + each_node.handler)
    (source / "given").write_text("from the host")
    mounts = (
        api_pb2.Mount(container_path="/data", host_path=str(source)),
        api_pb2.Mount(container_path="/fixed", host_path=str(source), readonly=True),
    )
    container_id = each_node.run().started(ContainerShape(mounts=mounts))
    assert output(each_node, container_id, "cat /data/given") == "from the host"
    output(each_node, container_id, "echo back > /data/taken")
    assert (source / "taken").read_text() == "back\n"
    refused_write = ["sh", "-c", "echo no > /fixed/taken"]
    assert each_node.client.exec_sync(container_id, refused_write).exit_code != 0


def test_memory_limit_ends_with_oom_killed(each_node: Node) -> None:
    shape = ContainerShape(
        command=("sh", "-c", "tail /dev/zero"), memory_limit=16 * MEGABYTE, name="hungry"
    )
    container_id = each_node.run().started(shape)
    status = each_node.client.wait_exited(container_id)
    assert (status.exit_code, status.reason) == (137, "OOMKilled")


def test_image_in_use_is_told_by_id(node: Node) -> None:
    image_id = node.client.pull(BUSYBOX)
    pod = node.run()
    config = container_config(pod.shape, ContainerShape(image=image_id))
    container_id = node.client.create(pod.id, config, pod.config)
    status = node.client.status(container_id)
    assert status.image_id == image_id
    assert status.image_ref
