"""Pods keep what their request says, and show it back."""

import pytest

from cri.api import api_pb2
from cri.tests.sample_records import sandbox_config_message, sandbox_record
from cri.translate.sandbox import sandbox_config, sandbox_item, sandbox_status
from runtime.errors import InvalidArgument
from runtime.records.sandbox import (
    DnsConfig,
    LinuxSandboxConfig,
    PodAddresses,
    PortMapping,
    SandboxState,
)


def test_a_pod_without_linux_section_has_the_defaults() -> None:
    config = sandbox_config(sandbox_config_message())
    assert config.linux == LinuxSandboxConfig()
    assert config.dns is None


@pytest.mark.parametrize("field", ["name", "namespace", "uid"])
def test_incomplete_metadata_are_refused_by_field(field: str) -> None:
    message = sandbox_config_message()
    message.metadata.ClearField(field)
    with pytest.raises(InvalidArgument, match=f"metadata.{field}"):
        sandbox_config(message)


def test_a_dns_section_that_is_empty_is_not_the_same_as_none() -> None:
    message = sandbox_config_message()
    message.dns_config.SetInParent()
    assert sandbox_config(message).dns == DnsConfig()


def test_every_part_of_the_config_arrives() -> None:
    message = sandbox_config_message()
    message.metadata.attempt = 3
    message.hostname = "h"
    message.log_directory = "/logs"
    message.dns_config.servers.append("10.0.0.1")
    message.dns_config.searches.append("svc.local")
    message.dns_config.options.append("ndots:5")
    message.port_mappings.add(
        protocol=api_pb2.SCTP, container_port=80, host_port=8080, host_ip="127.0.0.1"
    )
    message.labels["b"] = "2"
    message.labels["a"] = "1"
    message.annotations["n"] = "v"
    message.linux.cgroup_parent = "/kubepods/p"
    message.linux.sysctls["net.ipv4.ip_forward"] = "1"
    message.linux.overhead.cpu_shares = 2
    message.linux.resources.memory_limit_in_bytes = 5
    config = sandbox_config(message)
    assert config.metadata.attempt == 3
    assert (config.hostname, config.log_directory) == ("h", "/logs")
    assert config.dns == DnsConfig(
        servers=("10.0.0.1",), searches=("svc.local",), options=("ndots:5",)
    )
    assert config.port_mappings == (
        PortMapping(protocol="sctp", container_port=80, host_port=8080, host_ip="127.0.0.1"),
    )
    assert config.labels == (("a", "1"), ("b", "2"))
    assert config.annotations == (("n", "v"),)
    assert config.linux.cgroup_parent == "/kubepods/p"
    assert config.linux.sysctls == (("net.ipv4.ip_forward", "1"),)
    assert config.linux.overhead is not None
    assert config.linux.overhead.cpu_shares == 2
    assert config.linux.resources is not None
    assert config.linux.resources.memory_limit_bytes == 5


def test_an_unknown_protocol_is_refused() -> None:
    message = sandbox_config_message()
    message.port_mappings.add(protocol=9, container_port=80)
    with pytest.raises(InvalidArgument, match="protocol 9"):
        sandbox_config(message)


def test_list_item_shows_what_was_asked_for() -> None:
    item = sandbox_item(sandbox_record(runtime_handler="kata", state=SandboxState.NOTREADY))
    assert item.state == api_pb2.SANDBOX_NOTREADY
    assert item.metadata == api_pb2.PodSandboxMetadata(
        name="web", namespace="default", uid="u-1", attempt=2
    )
    assert (item.created_at, item.runtime_handler) == (17, "kata")
    assert dict(item.labels) == {"app": "web"}
    assert dict(item.annotations) == {"note": "x"}


def test_status_has_addresses_and_namespaces() -> None:
    status = sandbox_status(sandbox_record())
    assert status.network.ip == "10.0.0.2"
    assert [one.ip for one in status.network.additional_ips] == ["fd00::2"]
    assert status.linux.namespaces.HasField("options")
    assert status.created_at == 17


def test_a_pod_on_the_hosts_network_has_no_address() -> None:
    assert sandbox_status(sandbox_record(addresses=PodAddresses())).network.ip == ""
