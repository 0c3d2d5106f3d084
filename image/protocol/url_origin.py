"""URLs as far as trust needs them: the origin a secret is bound to, and a form that is safe to print.

Pure. Never resolves a name.
"""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from image.errors import FailedPrecondition

_DEFAULT_PORTS = {"http": 80, "https": 443}
_URL_IN_TEXT = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://[^\s\"'<>]+")
_DISPUTED = re.compile(r"[\x00-\x20\x7f\\]|^[^/]*//[^/?#]*@")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e\xa0-\u2027\u202f-\ud7ff]+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """Scheme, host and port: the unit that credentials and tokens belong to (RFC 6454 section 4)."""

    scheme: str
    host: str
    port: int

    @property
    def is_encrypted(self) -> bool:
        """Tell whether what is sent there cannot be read on the way."""
        return self.scheme == "https"

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def origin_of(url: str) -> Origin:
    """Give the origin of an http or https URL.

    Raises:
        FailedPrecondition: another scheme, no host, an impossible port, a user, or characters that two URL readers
            could understand differently.
    """
    if _DISPUTED.search(url):
        raise _unusable(url)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _unusable(url) from error
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise _unusable(url)
    return Origin(
        scheme=parts.scheme,
        host=parts.hostname.rstrip("."),
        port=_DEFAULT_PORTS[parts.scheme] if port is None else port,
    )


def redact_url(url: str) -> str:
    """Drop user, query and fragment, which may carry secrets (security rule C3)."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "(an unreadable URL)"
    host = parts.netloc.rpartition("@")[2]
    return SplitResult(parts.scheme, host, parts.path, "", "").geturl()


def redact_text(text: str, *, limit: int = 300) -> str:
    """Make text of others fit for an error: one line, bounded, its URLs redacted."""
    line = _UNPRINTABLE.sub(" ", text[: 16 * limit])
    line = _URL_IN_TEXT.sub(lambda found: redact_url(found[0]), line).strip()
    return line if len(line) <= limit else f"{line[:limit]}..."


def ip_literal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Read `host` as an IP address, or None when it is a name."""
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


def is_loopback(host: str) -> bool:
    """Tell whether `host` can only mean this machine: `localhost`, 127.0.0.0/8, ::1."""
    address = ip_literal(host)
    return host == "localhost" if address is None else address.is_loopback


def is_forbidden_target(host: str) -> bool:
    """Tell whether a registry must never lead us there: link-local addresses hold cloud metadata."""
    address = ip_literal(host)
    if address is None:
        # 169.254.169.254 written as 2852039166, 0xa9fea9fe or 169.254.43518: getaddrinfo reads all of them
        return (
            re.fullmatch(r"(?:0x[0-9a-f]*|[0-9]+)(?:\.(?:0x[0-9a-f]*|[0-9]+))*", host) is not None
        )
    mapped = getattr(address, "ipv4_mapped", None)
    effective = address if mapped is None else mapped
    return bool(effective.is_link_local or effective.is_unspecified or effective.is_multicast)


def _unusable(url: str) -> FailedPrecondition:
    return FailedPrecondition(
        redact_text(redact_url(url)) or "an empty URL",
        "is not a usable http or https URL",
        reason="InvalidUrl",
    )
