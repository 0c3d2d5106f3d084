"""Which requests go through the proxy: the NO_PROXY list as Go programs read it.

Pure. Loopback is never proxied. Names are compared as names; nothing is resolved.
"""

import ipaddress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from image.errors import FailedPrecondition
from image.protocol.url_origin import Origin, ip_literal, is_loopback, origin_of


@dataclass(frozen=True, kw_only=True, slots=True)
class ProxyRules:
    """One proxy for http and https, and the hosts that are reached without it."""

    proxy: str = field(default="", repr=False)
    """URL, perhaps with user and password; empty for none."""
    no_proxy: str = ""
    """Comma separated: `*`, names, `.domain`, addresses, CIDR blocks, each with an optional port."""

    def proxy_for(self, target: Origin) -> str | None:
        """Give the proxy URL for `target`, or None for a direct connection."""
        if not self.proxy or is_loopback(target.host):
            return None
        proxy = self.proxy if "://" in self.proxy else f"http://{self.proxy}"
        entries = (entry.strip().lower() for entry in self.no_proxy.split(","))
        return None if any(_covers(entry, target) for entry in entries if entry) else proxy


def is_proxy_url(url: str) -> bool:
    """Tell whether `url` can be a proxy's: http or https, a host, perhaps user and password, and nothing else."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        origin_of(f"{parts.scheme}://{host}")
    except (ValueError, FailedPrecondition):
        return False
    return parts.path in ("", "/") and not parts.query and not parts.fragment


def _covers(entry: str, target: Origin) -> bool:
    if entry == "*":
        return True
    address = ip_literal(target.host)
    if "/" in entry:
        return address is not None and _in_block(entry, target.host)
    host, port = _split_port(entry)
    if port is not None and port != target.port:
        return False
    if address is not None:
        return ip_literal(host) == address
    suffix = host.removeprefix("*").removeprefix(".")
    # ".example.org" means what is below it, "example.org" also itself (golang.org/x/net/http/httpproxy)
    is_itself = target.host == suffix and not host.startswith((".", "*"))
    return bool(suffix) and (is_itself or target.host.endswith(f".{suffix}"))


def _in_block(entry: str, host: str) -> bool:
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False


def _split_port(entry: str) -> tuple[str, int | None]:
    """Split `host:port`, `[v6]:port` and plain forms."""
    if ip_literal(entry) is not None:
        return entry, None
    host, colon, port = entry.rpartition(":")
    if colon and port.isascii() and port.isdigit():
        return host.strip("[]"), int(port)
    return entry.strip("[]"), None
