"""Security rules D2 and D5 to D9 on real runtimes: what reaches files of lines, the kernel and the runtime."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import grpc
import pytest

from cri.api import api_pb2
from e2e.images.host_programs import compiled
from e2e.images.layer import regular
from e2e.kubelet_requests import ContainerShape, pod_config
from e2e.looking_inside import Change, output, script, spec_text
from e2e.made_images import SHELL, made_image
from e2e.node import Node, refused, said

INVALID = grpc.StatusCode.INVALID_ARGUMENT
HOST_PATTERN = Path("/proc/sys/kernel/core_pattern")
TWO_LINES = ("/\nm::0:0::/:/bin/sh", "/\rm::0:0::/:/bin/sh")


# --- D2: no control character or separator reaches a file of lines


@pytest.mark.parametrize("home", TWO_LINES)
def test_d2_home_of_two_lines_is_refused(node: Node, home: str) -> None:
    pod = node.run()
    with refused(INVALID, says="HOME"):
        pod.create(ContainerShape(environment={"HOME": home}))
    with made_image(node, settings=replace(SHELL, environment=(f"HOME={home}",))) as image:
        with refused(INVALID, says="HOME"):
            pod.create(ContainerShape(image=image))


def test_d2_home_of_the_images_passwd_cannot_hold_a_control_character(node: Node) -> None:
    passwd = b"root:x:0:0::/\rm\x0b::0:0::/:/bin/sh\n"
    with made_image(node, [regular("etc/passwd", passwd)]) as image:
        container_id = node.run().started(ContainerShape(image=image))
        assert output(node, container_id, "sh", "-c", 'echo "$HOME"') == "/"


@pytest.mark.parametrize("field", ["servers", "searches", "options"])
@pytest.mark.parametrize("word", ["a\nnameserver 6.6.6.6", "a\rb", "a b", "a\x7f"])
def test_d2_dns_word_of_two_lines_is_refused(node: Node, field: str, word: str) -> None:
    config = pod_config(node.shape())
    getattr(config.dns_config, field).append(word)
    with refused(INVALID, says="dns"):
        node.client.run_pod(config)


@pytest.mark.parametrize("name", ["a;b", "a=b", "a\nb", "a;K8S_POD_NAMESPACE=kube-system"])
@pytest.mark.parametrize("field", ["name", "namespace", "uid"])
def test_d2_separator_in_a_pods_name_is_refused(node: Node, field: str, name: str) -> None:
    config = pod_config(node.shape())
    setattr(config.metadata, field, name)
    with refused(INVALID, says=field):
        node.client.run_pod(config)


@pytest.mark.parametrize("hostname", ["a\n127.0.0.1 b", "a b", "a;b", "a" * 65])
def test_d2_hostname_of_two_words_is_refused(node: Node, hostname: str) -> None:
    config = pod_config(node.shape())
    config.hostname = hostname
    with refused(INVALID, says="hostname"):
        node.client.run_pod(config)


# --- D5: sysctls only in the pod's own namespaces


@pytest.mark.parametrize(
    ("name", "value", "network"),
    [
        ("kernel.shm_rmid_forced", "1+kernel.core_pattern=x", api_pb2.POD),
        ("kernel.shm_rmid_forced", "1\nkernel.core_pattern=x", api_pb2.POD),
        ("kernel.core_pattern", "|/bin/sh", api_pb2.POD),
        ("kernel/../kernel/core_pattern", "x", api_pb2.POD),
        ("net.ipv4.ip_forward", "1", api_pb2.NODE),
        ("net/ipv4/ip_forward", "1", api_pb2.NODE),
        ("vm.overcommit_memory", "1", api_pb2.POD),
    ],
)
def test_d5_sysctl_of_the_host_is_refused_and_the_host_stays(
    node: Node, name: str, value: str, network: api_pb2.NamespaceMode
) -> None:
    forwarding = Path("/proc/sys/net/ipv4/ip_forward")
    before = HOST_PATTERN.read_bytes(), forwarding.read_bytes()
    config = pod_config(replace(node.shape(), network_mode=network))
    config.linux.sysctls[name] = value
    with refused(INVALID, says="sysctl"):
        node.client.run_pod(config)
    assert (HOST_PATTERN.read_bytes(), forwarding.read_bytes()) == before


def test_d5_sysctl_of_the_pod_stays_in_the_pod(node: Node) -> None:
    host = Path("/proc/sys/kernel/shm_rmid_forced")
    before = host.read_bytes()
    assert before.strip() == b"0"

    def change(config: api_pb2.PodSandboxConfig) -> None:
        config.linux.sysctls["kernel.shm_rmid_forced"] = "1"

    container_id = node.run(change=change).started()
    assert output(node, container_id, "cat", "/proc/sys/kernel/shm_rmid_forced") == "1"
    assert host.read_bytes() == before


# --- D6: annotations are no orders

ORDERS = {
    "org.systemd.property.ExecStart": "hostile-order",
    "run.oci.hooks.stderr": "/hostile-order",
    "run.oci.handler": "krun",
    "run.oci.systemd.subgroup": "hostile-order",
    "io.katacontainers.config.hypervisor.path": "/hostile-order",
    "io.kubernetes.cri-o.userns-mode": "hostile-order",
    "containerd.io/restart.loguri": "binary:///hostile-order",
}


def test_d6_annotations_reach_neither_spec_nor_arguments(each_node: Node) -> None:
    def of_pod(config: api_pb2.PodSandboxConfig) -> None:
        config.annotations.update(ORDERS)

    def of_container(config: api_pb2.ContainerConfig) -> None:
        config.annotations.update(ORDERS)

    labels = {"containerd.io/restart.loguri": "binary:///hostile-order", "lading.x": "1"}
    with made_image(each_node, settings=replace(SHELL, labels=labels)) as image:
        container_id = each_node.run(change=of_pod).create_changed(
            of_container, ContainerShape(image=image)
        )
        each_node.client.start(container_id)
        text = spec_text(each_node, container_id)
        for word in (*ORDERS, "hostile-order", "krun", "lading.x"):
            assert word not in text
        words = processes_about(container_id)
        assert words
        assert not any("hostile-order" in line or "krun" in line for line in words)
        assert not Path("/hostile-order").exists()
        assert dict(each_node.client.status(container_id).annotations).items() >= ORDERS.items()


def processes_about(container_id: str) -> list[str]:
    """Return the command lines that name a container."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = place.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if container_id in line:
            found.append(line)
    return found


# --- D7: environments are built


def test_d7_image_variable_without_value_takes_nothing_of_the_host(each_node: Node) -> None:
    variables = ("*", "HOME", "PATH", "=x", "LD_PRELOAD", "GOOD=1")
    with made_image(each_node, settings=replace(SHELL, environment=variables)) as image:
        container_id = each_node.run().started(script("sleep 1000", image))
        lines = set(output(each_node, container_id, "env").splitlines())
    names = {line.partition("=")[0] for line in lines}
    assert names <= {"PATH", "HOSTNAME", "KUBERNETES_SERVICE_HOST", "GOOD", "HOME", "PWD", "SHLVL"}
    assert "GOOD=1" in lines
    assert "HOME=/root" in lines
    environment = json.loads(spec_text(each_node, container_id))["process"]["env"]
    assert all("=" in entry[1:] for entry in environment)


def test_d7_hundred_parallel_creates_share_nothing(each_node: Node) -> None:
    pod = each_node.run()

    def create(number: int) -> str:
        environment = {f"ONLY_{number}": str(number)}
        return pod.create(ContainerShape(name=f"c{number}", environment=environment))

    with ThreadPoolExecutor(16) as pool:
        ids = list(pool.map(create, range(100)))
    for number, container_id in enumerate(ids):
        environment = json.loads(spec_text(each_node, container_id))["process"]["env"]
        own = [entry for entry in environment if entry.startswith("ONLY_")]
        assert own == [f"ONLY_{number}={number}"]


# --- D8: profiles confine


def profile(kind: api_pb2.SecurityProfile.ProfileType, ref: str = "") -> Change:
    """Ask for a seccomp profile."""

    def change(config: api_pb2.ContainerConfig) -> None:
        wanted = api_pb2.SecurityProfile(profile_type=kind, localhost_ref=ref)
        config.linux.security_context.seccomp.CopyFrom(wanted)

    return change


@pytest.mark.parametrize(
    "ref", ["", "relative.json", "/no/such/profile.json", "/etc/../etc/passwd"]
)
def test_d8_localhost_profile_without_a_file_is_refused(node: Node, ref: str) -> None:
    pod = node.run()
    with refused(INVALID):
        pod.create_changed(profile(api_pb2.SecurityProfile.Localhost, ref))


def test_d8_default_profile_refuses_two_socket_families(each_node: Node) -> None:
    high_bits = f"{(1 << 32) + 38:#x}"
    entries = [regular("bin/sockets", compiled("sockets.c"), mode=0o755)]
    with made_image(each_node, entries) as image:
        shape = ContainerShape(
            image=image, command=("/bin/sockets", "38", "40", "2", "39", "46", high_bits)
        )
        container_id = each_node.run().create_changed(
            profile(api_pb2.SecurityProfile.RuntimeDefault), shape
        )
        each_node.client.start(container_id)
        lines = said(each_node.client, container_id).splitlines()
    answers = {word: int(number) for word, number in (line.split() for line in lines)}
    assert answers["38"] == answers["40"] == 1
    # Raw IP needs a protocol, NFC may not be built in: whatever the kernel itself says, but no EPERM.
    assert answers["2"] not in (1, 38)
    assert answers["39"] not in (1, 38)
    assert answers["46"] == answers[high_bits] == 97


# --- D9: files of the host that no container should read

HIDDEN = (
    "/proc/acpi",
    "/proc/kcore",
    "/proc/keys",
    "/proc/scsi",
    "/proc/timer_list",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
    "/sys/devices/system/cpu/cpu0/thermal_throttle",
)


def test_d9_own_list_is_added_to_the_kubelets(each_node: Node) -> None:
    def change(config: api_pb2.ContainerConfig) -> None:
        config.linux.security_context.masked_paths[:] = ["/proc/kcore"]

    look = 'if [ -d "$f" ]; then ls -A "$f"; elif [ -e "$f" ]; then head -c 1 "$f"; fi'
    text = f"for f in {' '.join(HIDDEN)}; do {look}; done; echo done"
    container_id = each_node.run().create_changed(change, script(text))
    each_node.client.start(container_id)
    assert said(each_node.client, container_id) == "done\n"
    masked = json.loads(spec_text(each_node, container_id))["linux"]["maskedPaths"]
    assert set(HIDDEN) <= set(masked)


def test_d9_empty_list_of_the_kubelet_hides_nothing(each_node: Node) -> None:
    def change(config: api_pb2.ContainerConfig) -> None:
        del config.linux.security_context.masked_paths[:]

    container_id = each_node.run().create_changed(change)
    assert not json.loads(spec_text(each_node, container_id))["linux"].get("maskedPaths")
