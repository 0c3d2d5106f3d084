"""Requests that are wrong: each is refused with the right code and a text that names the cause, and
nothing is changed or left by it."""

from __future__ import annotations

import secrets
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from cri.api import api_pb2
from e2e.cri_client import Client
from e2e.hanging_mount import hanging_mount
from e2e.kubelet_requests import ContainerShape, container_config, pod_config
from e2e.node import Node, heard, refusal, refused

INVALID = grpc.StatusCode.INVALID_ARGUMENT
MISSING = grpc.StatusCode.NOT_FOUND
UNKNOWN_ID = "f" * 64

PodChange = Callable[[api_pb2.PodSandboxConfig], object]
ContainerChange = Callable[[api_pb2.ContainerConfig], object]


def set_sysctl(config: api_pb2.PodSandboxConfig, name: str, value: str) -> None:
    """Ask for a sysctl."""
    config.linux.sysctls[name] = value


BAD_PODS: dict[str, PodChange] = {
    "no metadata": lambda config: config.ClearField("metadata"),
    "empty name": lambda config: config.metadata.ClearField("name"),
    "empty namespace": lambda config: config.metadata.ClearField("namespace"),
    "empty uid": lambda config: config.metadata.ClearField("uid"),
    "hostname with newline": lambda config: setattr(config, "hostname", "a\nb"),
    "hostname too long": lambda config: setattr(config, "hostname", "h" * 65),
    "search with newline": lambda config: config.dns_config.searches.append(
        "a\nnameserver 1.1.1.1"
    ),
    "relative log directory": lambda config: setattr(config, "log_directory", "../logs"),
    "host's sysctl": lambda config: set_sysctl(config, "kernel.core_pattern", "|/bin/x"),
    "sysctl by value": lambda config: set_sysctl(
        config, "kernel.shm_rmid_forced", "1+kernel.core_pattern=x"
    ),
    "escaping cgroup": lambda config: setattr(
        config.linux, "cgroup_parent", "/../../lading-e2e-escaped"
    ),
    "port out of range": lambda config: config.port_mappings.append(
        api_pb2.PortMapping(container_port=80, host_port=70000)
    ),
}


@pytest.mark.parametrize("change", BAD_PODS.values(), ids=BAD_PODS.keys())
def test_bad_pod_is_refused(node: Node, change: PodChange) -> None:
    config = pod_config(node.shape("bad"))
    change(config)
    with refused(INVALID, grpc.StatusCode.FAILED_PRECONDITION):
        node.client.run_pod(config)
    assert node.client.pods() == []


def add_mount(config: api_pb2.ContainerConfig, **fields: str) -> None:
    """Ask for a bind mount."""
    config.mounts.add(host_path=fields["host"], container_path=fields["inside"])


def set_group_only(config: api_pb2.ContainerConfig) -> None:
    """Ask for a group but no user."""
    config.linux.security_context.ClearField("run_as_user")
    config.linux.security_context.run_as_group.value = 5


BAD_CONTAINERS: dict[str, ContainerChange] = {
    "no metadata": lambda config: config.ClearField("metadata"),
    "no image": lambda config: config.ClearField("image"),
    "escaping log path": lambda config: setattr(config, "log_path", "../../x"),
    "absolute log path": lambda config: setattr(config, "log_path", "/etc/x.log/../../y"),
    "unknown signal": lambda config: setattr(config, "stop_signal", 9999),
    "unknown capability": lambda config: (
        config.linux.security_context.capabilities.add_capabilities.append("MAKE_COFFEE")
    ),
    "negative memory": lambda config: setattr(config.linux.resources, "memory_limit_in_bytes", -5),
    "negative shares": lambda config: setattr(config.linux.resources, "cpu_shares", -1),
    "negative quota": lambda config: setattr(config.linux.resources, "cpu_period", -100000),
    "endless cpuset": lambda config: setattr(
        config.linux.resources, "cpuset_cpus", "0-999999999999"
    ),
    "group without user": set_group_only,
    "negative user": lambda config: setattr(config.linux.security_context.run_as_user, "value", -2),
    "user beyond 31 bits": lambda config: setattr(
        config.linux.security_context.run_as_user, "value", 2**32
    ),
    "localhost seccomp without path": lambda config: config.linux.security_context.seccomp.CopyFrom(
        api_pb2.SecurityProfile(profile_type=api_pb2.SecurityProfile.Localhost)
    ),
    "relative mount": lambda config: add_mount(config, host="etc", inside="/x"),
    "mount without place": lambda config: add_mount(config, host="/etc", inside=""),
    "very long mount source": lambda config: add_mount(config, host="/" + "a" * 70000, inside="/x"),
    "NUL in mount": lambda config: add_mount(config, host="/tmp/a\0b", inside="/x"),
    "environment with equals sign": lambda config: config.envs.add(key="A=B", value=b"c"),
}


@pytest.mark.parametrize("change", BAD_CONTAINERS.values(), ids=BAD_CONTAINERS.keys())
def test_bad_container_is_refused(node: Node, change: ContainerChange) -> None:
    pod = node.run()
    config = container_config(pod.shape, ContainerShape())
    change(config)
    with refused(INVALID, grpc.StatusCode.FAILED_PRECONDITION):
        node.client.create(pod.id, config, pod.config)
    assert node.client.containers() == []
    assert not (node.session.workspace.disk / "x").exists()


def test_missing_seccomp_profile_stops_the_container(each_node: Node) -> None:
    pod = each_node.run()
    config = container_config(pod.shape, ContainerShape())
    config.linux.security_context.seccomp.CopyFrom(
        api_pb2.SecurityProfile(
            profile_type=api_pb2.SecurityProfile.Localhost, localhost_ref="/nowhere/profile.json"
        )
    )

    def create_and_start() -> None:
        each_node.client.start(each_node.client.create(pod.id, config, pod.config))

    with refused(INVALID, MISSING, grpc.StatusCode.FAILED_PRECONDITION, says="profile.json"):
        create_and_start()


def test_unknown_handler_is_no_fallback(node: Node) -> None:
    with refused(INVALID, MISSING, grpc.StatusCode.FAILED_PRECONDITION, says="no-such-handler"):
        node.client.run_pod(pod_config(node.shape()), "no-such-handler")
    assert node.client.pods() == []


def test_missing_image_is_not_found(node: Node) -> None:
    pod = node.run()
    name = "registry.k8s.io/not/here:1"
    with refused(MISSING, says=name):
        pod.create(ContainerShape(image=name))


def test_unknown_user_name_is_refused(node: Node) -> None:
    pod = node.run()
    config = container_config(pod.shape, ContainerShape())
    config.linux.security_context.ClearField("run_as_user")
    config.linux.security_context.run_as_username = "nobody-knows-me"
    with refused(INVALID, MISSING, grpc.StatusCode.FAILED_PRECONDITION, says="nobody-knows-me"):
        node.client.create(pod.id, config, pod.config)


def test_second_pod_of_a_name_is_not_made(node: Node) -> None:
    pod = node.run()
    config = pod_config(pod.shape)
    config.hostname = "another"
    code = refusal(lambda: node.client.run_pod(config))
    assert code in (None, grpc.StatusCode.ALREADY_EXISTS)
    assert [item.id for item in node.client.pods()] == [pod.id]


CALLS_NOT_FOUND: dict[str, Callable[[Client], object]] = {
    "PodSandboxStatus": lambda client: client.pod_status(UNKNOWN_ID),
    "ContainerStatus": lambda client: client.status(UNKNOWN_ID),
    "StartContainer": lambda client: client.start(UNKNOWN_ID),
    "ExecSync": lambda client: client.exec_sync(UNKNOWN_ID, ["true"]),
    "Exec": lambda client: client.runtime.Exec(
        api_pb2.ExecRequest(container_id=UNKNOWN_ID, cmd=["true"], stdout=True), timeout=20
    ),
    "Attach": lambda client: client.runtime.Attach(
        api_pb2.AttachRequest(container_id=UNKNOWN_ID, stdout=True), timeout=20
    ),
    "PortForward": lambda client: client.runtime.PortForward(
        api_pb2.PortForwardRequest(pod_sandbox_id=UNKNOWN_ID, port=[80]), timeout=20
    ),
    "ContainerStats": lambda client: client.runtime.ContainerStats(
        api_pb2.ContainerStatsRequest(container_id=UNKNOWN_ID), timeout=20
    ),
    "PodSandboxStats": lambda client: client.runtime.PodSandboxStats(
        api_pb2.PodSandboxStatsRequest(pod_sandbox_id=UNKNOWN_ID), timeout=20
    ),
    "ReopenContainerLog": lambda client: client.runtime.ReopenContainerLog(
        api_pb2.ReopenContainerLogRequest(container_id=UNKNOWN_ID), timeout=20
    ),
    "UpdateContainerResources": lambda client: client.runtime.UpdateContainerResources(
        api_pb2.UpdateContainerResourcesRequest(container_id=UNKNOWN_ID), timeout=20
    ),
}


@pytest.mark.parametrize("call", CALLS_NOT_FOUND.values(), ids=CALLS_NOT_FOUND.keys())
def test_unknown_id_is_not_found(node: Node, call: Callable[[Client], object]) -> None:
    with refused(MISSING):
        call(node.client)


def test_unknown_id_is_no_error_where_absence_is_the_goal(node: Node) -> None:
    client = node.client
    for call in (client.stop, client.remove, client.stop_pod, client.remove_pod):
        call(UNKNOWN_ID)
    no_image = api_pb2.ImageSpec(image="registry.k8s.io/not/here:1")
    client.image.RemoveImage(api_pb2.RemoveImageRequest(image=no_image), timeout=20)
    status = client.image.ImageStatus(api_pb2.ImageStatusRequest(image=no_image), timeout=20)
    assert not status.HasField("image")
    pods = api_pb2.ListPodSandboxRequest(filter=api_pb2.PodSandboxFilter(id=UNKNOWN_ID))
    assert not client.runtime.ListPodSandbox(pods, timeout=20).items
    containers = api_pb2.ListContainersRequest(filter=api_pb2.ContainerFilter(id=UNKNOWN_ID))
    assert not client.runtime.ListContainers(containers, timeout=20).containers


def test_short_id_must_name_one_object(node: Node) -> None:
    pod = node.run()
    first_by_digit: dict[str, str] = {}
    for number in range(17):
        container_id = pod.create(ContainerShape(name=f"c{number}"))
        if container_id[0] in first_by_digit:
            break
        first_by_digit[container_id[0]] = container_id
    with refused(INVALID, grpc.StatusCode.FAILED_PRECONDITION, says=container_id[0]):
        node.client.status(container_id[0])
    assert node.client.status(container_id[:40]).id == container_id


def test_missing_host_path_becomes_a_directory(node: Node) -> None:
    source = node.session.workspace.disk / f"made-{secrets.token_hex(3)}" / "deep"
    mount = api_pb2.Mount(host_path=str(source), container_path="/made")
    node.run().started(ContainerShape(mounts=(mount,)))
    assert stat.S_IMODE(source.stat().st_mode) == 0o755
    assert source.stat().st_uid == 0


def test_hanging_host_path_stops_only_its_own_container(node: Node) -> None:
    with hanging_mount(node.session.workspace.disk / "hanging") as place:
        victim, neighbour = node.run(node.shape("victim")), node.run(node.shape("neighbour"))
        mount = api_pb2.Mount(host_path=str(place / "data"), container_path="/data")
        with ThreadPoolExecutor(1) as pool:
            stuck = pool.submit(
                lambda: refusal(lambda: victim.create(ContainerShape(mounts=(mount,))))
            )
            container_id = neighbour.started()
            assert node.client.exec_sync(container_id, ["echo", "ok"]).stdout == b"ok\n"
            assert len(node.client.pods()) == 2
            assert stuck.result(timeout=110) in (
                grpc.StatusCode.DEADLINE_EXCEEDED,
                grpc.StatusCode.UNAVAILABLE,
                grpc.StatusCode.FAILED_PRECONDITION,
            )
        victim.remove()
        neighbour.remove()


def test_five_megabytes_of_annotations(node: Node) -> None:
    config = pod_config(node.shape("wordy"))
    for number in range(50):
        config.annotations[f"note-{number}"] = "x" * 100_000
    code = refusal(lambda: node.client.run_pod(config))
    assert code in (None, INVALID, grpc.StatusCode.RESOURCE_EXHAUSTED)
    if code is None:
        pod_id = node.client.pods()[0].id
        assert dict(node.client.pod_status(pod_id).annotations) == dict(config.annotations)


def test_output_need_not_be_text(each_node: Node) -> None:
    pod = each_node.run()
    container_id = pod.shell(r"printf '\377\376\000x\n'; sleep 1000")
    answer = each_node.client.exec_sync(container_id, ["printf", r"\377\376\000"])
    assert answer.stdout == b"\xff\xfe\x00"
    text = heard(each_node.client, container_id, lines=1)
    assert text.encode(errors="surrogateescape") == b"\xff\xfe\x00x\n"


@pytest.mark.parametrize("command", [[], [""]])
def test_exec_of_nothing_is_refused(node: Node, command: list[str]) -> None:
    container_id = node.run().started()
    with refused(INVALID):
        node.client.exec_sync(container_id, command)


def test_exec_of_a_missing_program_is_told(each_node: Node) -> None:
    container_id = each_node.run().started()
    codes = []

    def run_it() -> None:
        answer = each_node.client.exec_sync(container_id, ["/no/such/program"])
        codes.append(answer.exit_code)

    # Both peers differ here too: an error of the call, or the shell's code for "not found".
    if refusal(run_it) is None:
        assert codes[0] in (126, 127)


def test_missing_entrypoint_is_told_at_start(each_node: Node) -> None:
    pod = each_node.run()

    def create_and_start() -> None:
        pod.started(ContainerShape(command=("/no/such/entrypoint",)))

    code = refusal(create_and_start)
    assert code not in (None, grpc.StatusCode.INTERNAL)


def test_log_directory_may_be_hostile(node: Node) -> None:
    shape = node.shape("linked")
    config = pod_config(shape)
    target = node.session.workspace.folder("outside")
    link = Path(config.log_directory) / "main"
    Path(config.log_directory).mkdir(parents=True)
    link.symlink_to(target)
    pod_id = node.client.run_pod(config)
    container = container_config(shape, ContainerShape(command=("echo", "leaked")))
    refusal(lambda: node.client.start(node.client.create(pod_id, container, config)))
    assert list(target.iterdir()) == []
