"""What of a pod's request plugins may be given."""

import pytest

from runtime.drivers.port_mapping import capability_arguments
from runtime.errors import InvalidArgument
from runtime.records.sandbox import (
    DnsConfig,
    LinuxSandboxConfig,
    PortMapping,
    SandboxConfig,
    SandboxMetadata,
)


def config(
    *,
    ports: tuple[PortMapping, ...] = (),
    annotations: tuple[tuple[str, str], ...] = (),
    dns: DnsConfig | None = None,
    cgroup_parent: str = "",
) -> SandboxConfig:
    return SandboxConfig(
        metadata=SandboxMetadata(name="web", namespace="shop", uid="u"),
        port_mappings=ports,
        annotations=annotations,
        dns=dns,
        linux=LinuxSandboxConfig(cgroup_parent=cgroup_parent),
    )


def test_pod_without_wishes_gives_nothing() -> None:
    assert capability_arguments(config()) == {}


def test_host_ports_are_told_with_lower_case_protocol_and_address() -> None:
    ports = (
        PortMapping(protocol="UDP", container_port=53, host_port=5353, host_ip="127.0.0.1"),
        PortMapping(container_port=80),
    )
    assert capability_arguments(config(ports=ports)) == {
        "portMappings": [
            {"hostPort": 5353, "containerPort": 53, "protocol": "udp", "hostIP": "127.0.0.1"}
        ]
    }


@pytest.mark.parametrize(
    ("port", "why"),
    [
        (PortMapping(protocol="icmp", container_port=1, host_port=1), "protocol 'icmp'"),
        (PortMapping(container_port=80, host_port=70000), "70000 is not a port"),
        (PortMapping(container_port=0, host_port=80), "0 is not a port"),
        (PortMapping(container_port=80, host_port=80, host_ip="host"), "not an IP address"),
    ],
)
def test_unusable_port_is_refused(port: PortMapping, why: str) -> None:
    with pytest.raises(InvalidArgument, match=why):
        capability_arguments(config(ports=(port,)))


def test_bandwidth_comes_from_annotations_with_a_burst() -> None:
    annotations = (
        ("kubernetes.io/egress-bandwidth", "1Gi"),
        ("kubernetes.io/ingress-bandwidth", "10M"),
    )
    arguments = capability_arguments(config(annotations=annotations))
    assert arguments["bandwidth"] == {
        "ingressRate": 10_000_000,
        "ingressBurst": 2**31 - 1,
        "egressRate": 2**30,
        "egressBurst": 2**31 - 1,
    }
    assert arguments["io.kubernetes.cri.pod-annotations"] == dict(annotations)


@pytest.mark.parametrize("text", ["fast", "1", "2P"])
def test_unusable_bandwidth_is_refused_by_its_annotation(text: str) -> None:
    with pytest.raises(InvalidArgument, match=r"kubernetes\.io/ingress-bandwidth"):
        capability_arguments(config(annotations=(("kubernetes.io/ingress-bandwidth", text),)))


def test_dns_and_cgroup_are_told() -> None:
    arguments = capability_arguments(
        config(dns=DnsConfig(servers=("10.0.0.10",), searches=("svc",)), cgroup_parent="/kubepods")
    )
    assert arguments == {
        "dns": {"servers": ["10.0.0.10"], "searches": ["svc"]},
        "cgroupPath": "/kubepods",
    }


def test_empty_dns_gives_nothing() -> None:
    assert "dns" not in capability_arguments(config(dns=DnsConfig()))
