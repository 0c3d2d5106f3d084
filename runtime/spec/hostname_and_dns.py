"""Texts of a pod's hostname, hosts and resolv.conf files."""

from runtime.records.sandbox import DnsConfig, PodAddresses, SandboxConfig


def hostname_for(config: SandboxConfig, sandbox_id: str, host_name: str) -> str:
    """Return the pod's hostname: as asked for, else the host's on the host's network, else the id's first 12 digits."""
    raise NotImplementedError


def hostname_file(hostname: str) -> str:
    """Return the text of /etc/hostname."""
    raise NotImplementedError


def resolv_conf(dns: DnsConfig | None, host_text: str) -> str:
    """Return the text of /etc/resolv.conf; None copies the host's."""
    raise NotImplementedError


def hosts_file(host_text: str, hostname: str, addresses: PodAddresses) -> str:
    """Return the text of /etc/hosts: the host's file, and the pod's name at its addresses."""
    raise NotImplementedError
