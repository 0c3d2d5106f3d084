"""Pod sandboxes: the request's config to a record, a record to list items and statuses.

Pure mapping. A request without linux section gets the zero values; Windows sections are not read.
"""

from cri.api import api_pb2
from cri.translate.resources import linux_resources
from cri.translate.security import namespace_message, sandbox_security
from runtime.errors import InvalidArgument
from runtime.records.sandbox import (
    DnsConfig,
    LinuxSandboxConfig,
    PortMapping,
    SandboxConfig,
    SandboxMetadata,
    SandboxRecord,
    SandboxState,
)

STATES = {
    SandboxState.READY: api_pb2.SANDBOX_READY,
    SandboxState.NOTREADY: api_pb2.SANDBOX_NOTREADY,
}

_PROTOCOLS = {api_pb2.TCP: "tcp", api_pb2.UDP: "udp", api_pb2.SCTP: "sctp"}


def sandbox_config(message: api_pb2.PodSandboxConfig) -> SandboxConfig:
    """Translate a pod's config.

    Raises:
        InvalidArgument: its metadata lack a part, or an enum has a value of a later CRI.
    """
    return SandboxConfig(
        metadata=_metadata(message),
        hostname=message.hostname,
        log_directory=message.log_directory,
        dns=_dns(message.dns_config) if message.HasField("dns_config") else None,
        port_mappings=tuple(map(_port_mapping, message.port_mappings)),
        labels=tuple(sorted(message.labels.items())),
        annotations=tuple(sorted(message.annotations.items())),
        linux=_linux(message.linux),
    )


def sandbox_item(record: SandboxRecord) -> api_pb2.PodSandbox:
    """Return the sandbox as lists show it."""
    return api_pb2.PodSandbox(
        id=record.id,
        metadata=metadata_message(record.config.metadata),
        state=STATES[record.state],
        created_at=record.created_at_ns,
        labels=dict(record.config.labels),
        annotations=dict(record.config.annotations),
        runtime_handler=record.runtime_handler,
    )


def sandbox_status(record: SandboxRecord) -> api_pb2.PodSandboxStatus:
    """Return the sandbox as PodSandboxStatus shows it."""
    addresses = record.addresses
    return api_pb2.PodSandboxStatus(
        id=record.id,
        metadata=metadata_message(record.config.metadata),
        state=STATES[record.state],
        created_at=record.created_at_ns,
        network=api_pb2.PodSandboxNetworkStatus(
            ip=addresses.ip,
            additional_ips=[api_pb2.PodIP(ip=ip) for ip in addresses.additional_ips],
        ),
        linux=api_pb2.LinuxPodSandboxStatus(
            namespaces=api_pb2.Namespace(
                options=namespace_message(record.config.linux.security.namespaces)
            )
        ),
        labels=dict(record.config.labels),
        annotations=dict(record.config.annotations),
        runtime_handler=record.runtime_handler,
    )


def metadata_message(metadata: SandboxMetadata) -> api_pb2.PodSandboxMetadata:
    """Return a pod's names."""
    return api_pb2.PodSandboxMetadata(
        name=metadata.name,
        namespace=metadata.namespace,
        uid=metadata.uid,
        attempt=metadata.attempt,
    )


def _metadata(message: api_pb2.PodSandboxConfig) -> SandboxMetadata:
    sent = message.metadata
    missing = [field for field in ("name", "namespace", "uid") if not getattr(sent, field)]
    if missing:
        raise InvalidArgument(
            "pod sandbox config",
            f"lacks metadata.{', metadata.'.join(missing)}",
            remedy="name, namespace and uid tell pods apart: give all three",
            reason="MetadataMissing",
        )
    return SandboxMetadata(
        name=sent.name, namespace=sent.namespace, uid=sent.uid, attempt=sent.attempt
    )


def _dns(message: api_pb2.DNSConfig) -> DnsConfig:
    return DnsConfig(
        servers=tuple(message.servers),
        searches=tuple(message.searches),
        options=tuple(message.options),
    )


def _port_mapping(message: api_pb2.PortMapping) -> PortMapping:
    protocol = _PROTOCOLS.get(message.protocol)
    if protocol is None:
        raise InvalidArgument(
            f"port mapping {message.container_port}",
            f"has the protocol {message.protocol}, which is none of TCP, UDP, SCTP",
            reason="UnknownValue",
        )
    return PortMapping(
        protocol=protocol,
        container_port=message.container_port,
        host_port=message.host_port,
        host_ip=message.host_ip,
    )


def _linux(message: api_pb2.LinuxPodSandboxConfig) -> LinuxSandboxConfig:
    return LinuxSandboxConfig(
        cgroup_parent=message.cgroup_parent,
        security=sandbox_security(message.security_context),
        sysctls=tuple(sorted(message.sysctls.items())),
        overhead=linux_resources(message.overhead) if message.HasField("overhead") else None,
        resources=linux_resources(message.resources) if message.HasField("resources") else None,
    )
