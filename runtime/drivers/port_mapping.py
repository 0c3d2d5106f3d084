"""What of a pod's request is handed to CNI plugins as runtimeConfig: host ports, bandwidth, DNS, cgroup, annotations.

Host ports are made by the CNI plugin portmap, or whichever plugin of the list declares `portMappings`: Lading writes no
firewall rule of its own. A pod with host ports on a network without such a plugin gets its pod, but no port; `CniNetwork`
says so in the log. Pure values; plugins only see what they declare.
"""

from ipaddress import ip_address

from runtime.errors import InvalidArgument
from runtime.formats.quantity import parse_quantity
from runtime.records.sandbox import PortMapping, SandboxConfig

INGRESS_ANNOTATION = "kubernetes.io/ingress-bandwidth"
EGRESS_ANNOTATION = "kubernetes.io/egress-bandwidth"

_LEAST_BANDWIDTH = 1000
"""Bits per second: kubelet's own lower bound (1k) for these annotations; the upper is 1P."""
_MOST_BANDWIDTH = 10**15
_BURST_BITS = (1 << 31) - 1
"""What ocicni and go-cni ask for; the plugin bandwidth refuses a rate without a burst."""
_PROTOCOLS = frozenset(("tcp", "udp", "sctp"))


def capability_arguments(config: SandboxConfig) -> dict[str, object]:
    """Return runtimeConfig values by capability; only those that the pod has.

    Raises:
        InvalidArgument: a port, protocol, address or bandwidth is not usable.
    """
    arguments: dict[str, object] = {
        "portMappings": port_mappings(config.port_mappings),
        "bandwidth": bandwidth(config),
        "dns": _dns(config),
        "cgroupPath": config.linux.cgroup_parent,
        "io.kubernetes.cri.pod-annotations": dict(config.annotations),
    }
    return {key: value for key, value in arguments.items() if value}


def port_mappings(mappings: tuple[PortMapping, ...]) -> list[dict[str, object]]:
    """Return the mappings that have a host port, in the form of the capability `portMappings`."""
    return [_port_mapping(mapping) for mapping in mappings if mapping.host_port > 0]


def bandwidth(config: SandboxConfig) -> dict[str, object]:
    """Return the limits of the pod's annotations in bits per second, empty without any."""
    annotations = dict(config.annotations)
    found: dict[str, object] = {}
    for annotation, direction in ((INGRESS_ANNOTATION, "ingress"), (EGRESS_ANNOTATION, "egress")):
        text = annotations.get(annotation)
        if text is not None:
            found[f"{direction}Rate"] = _rate(annotation, text)
            found[f"{direction}Burst"] = _BURST_BITS
    return found


def _port_mapping(mapping: PortMapping) -> dict[str, object]:
    subject = f"host port {mapping.host_port}"
    protocol = mapping.protocol.lower()
    if protocol not in _PROTOCOLS:
        raise InvalidArgument(
            subject, f"protocol {protocol[:20]!r} is not known", reason="BadPortMapping"
        )
    for port in (mapping.host_port, mapping.container_port):
        if not 0 < port < 65536:
            raise InvalidArgument(subject, f"{port} is not a port number", reason="BadPortMapping")
    made: dict[str, object] = {
        "hostPort": mapping.host_port,
        "containerPort": mapping.container_port,
        "protocol": protocol,
    }
    if mapping.host_ip:
        made["hostIP"] = _host_ip(subject, mapping.host_ip)
    return made


def _host_ip(subject: str, text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError as error:
        raise InvalidArgument(
            subject, f"{text[:60]!r} is not an IP address", reason="BadPortMapping"
        ) from error


def _rate(annotation: str, text: str) -> int:
    try:
        rate = parse_quantity(text)
    except ValueError as error:
        raise InvalidArgument(
            f"annotation {annotation}", str(error), reason="BadBandwidth"
        ) from error
    if not _LEAST_BANDWIDTH <= rate <= _MOST_BANDWIDTH:
        raise InvalidArgument(
            f"annotation {annotation}", f"{rate} is not between 1k and 1P", reason="BadBandwidth"
        )
    return rate


def _dns(config: SandboxConfig) -> dict[str, object]:
    if config.dns is None:
        return {}
    lists = {
        "servers": config.dns.servers,
        "searches": config.dns.searches,
        "options": config.dns.options,
    }
    return {key: list(values) for key, values in lists.items() if values}
