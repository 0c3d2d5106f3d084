"""Names of a pod: its hostname, and the texts of its hostname, hosts and resolv.conf files.

Each part that comes from a request becomes one word of one line or is refused: no control character and no separator gets
in (security rule D2). Without a dns request the host's resolv.conf is copied; a request that is empty gives an empty file,
as in containerd: the kubelet sends one for dnsPolicy None. Lines come as search, nameserver, options.
"""

import re
from collections.abc import Iterable

from runtime.errors import InvalidArgument
from runtime.records.sandbox import DnsConfig, PodAddresses, SandboxConfig
from runtime.records.security import NamespaceMode

MAX_HOSTNAME = 64
"""__NEW_UTS_LEN of the kernel (sethostname(2))."""

MAX_DNS_WORD = 512
"""A DNS name has at most 253 characters; kubelet allows 2048 for all search domains together."""

_HOSTNAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?", re.ASCII)
_SHORT_ID = 12


def hostname_for(config: SandboxConfig, sandbox_id: str, host_name: str) -> str:
    """Return the pod's hostname: as asked for, else the host's on the host's network, else the short id.

    Raises:
        InvalidArgument: what was asked for is no hostname.
    """
    if config.hostname:
        check_hostname(config.hostname)
        return config.hostname
    if config.linux.security.namespaces.network is NamespaceMode.NODE:
        return host_name
    return sandbox_id[:_SHORT_ID]


def check_hostname(hostname: str) -> None:
    """Refuse what is no hostname.

    Raises:
        InvalidArgument: it is too long, or has characters that a hostname cannot have.
    """
    if len(hostname) > MAX_HOSTNAME or not _HOSTNAME.fullmatch(hostname):
        raise InvalidArgument(
            "hostname",
            f"{hostname[:MAX_HOSTNAME]!r} is not a hostname of at most {MAX_HOSTNAME} characters",
            remedy="use letters, digits, - and .",
            reason="BadHostname",
        )


def hostname_file(hostname: str) -> str:
    """Return the text of /etc/hostname."""
    return f"{hostname}\n"


def resolv_conf(dns: DnsConfig | None, host_text: str) -> str:
    """Return the text of /etc/resolv.conf; None copies the host's.

    Raises:
        InvalidArgument: an entry is not one printable word.
    """
    if dns is None:
        return host_text
    check_dns(dns)
    lines = [f"search {' '.join(dns.searches)}"] if dns.searches else []
    lines += [f"nameserver {server}" for server in dns.servers]
    lines += [f"options {' '.join(dns.options)}"] if dns.options else []
    return "".join(f"{line}\n" for line in lines)


def check_dns(dns: DnsConfig) -> None:
    """Refuse entries that would become more than one word of one line.

    Raises:
        InvalidArgument: an entry is not one printable word.
    """
    _check_words("dns server", dns.servers)
    _check_words("dns search domain", dns.searches)
    _check_words("dns option", dns.options)


def hosts_file(host_text: str, hostname: str, addresses: PodAddresses) -> str:
    """Return the text of /etc/hosts: the host's, and the pod's name at each of its addresses.

    The kubelet mounts its own over it for most pods.
    """
    text = host_text if not host_text or host_text.endswith("\n") else f"{host_text}\n"
    known = (addresses.ip, *addresses.additional_ips) if addresses.ip else ()
    return text + "".join(f"{address}\t{hostname}\n" for address in known)


def _check_words(what: str, words: Iterable[str]) -> None:
    for word in words:
        if not word or not word.isprintable() or " " in word or len(word) > MAX_DNS_WORD:
            raise InvalidArgument(
                what,
                f"{word[:64]!r} is not one printable word",
                remedy="give each entry by itself, without spaces and line ends",
                reason="BadDnsConfig",
            )
