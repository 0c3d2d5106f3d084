"""Which endpoints serve a reference, in which order: mirrors first, the origin last.

Pure. Plain http is used only where hosts.toml says `http://`, with one exception that the field expects: an origin on
the loopback interface without rules is http. No secret goes over that exception (security rule C2), since any
host-network pod may listen there.
"""

from dataclasses import dataclass, field

from image.model.reference import DEFAULT_DOMAIN, Reference
from image.protocol.hosts_file import DEFAULT_TLS, HostEntry, HostRules, TlsRules
from image.protocol.rewrite_rules import RewriteRule, rewritten
from image.protocol.url_origin import Origin, is_loopback, origin_of, redact_url

DEFAULT_DIRECTORY = "_default"
"""Directory of the rules for every registry that has none of its own."""

MIRROR_SECONDS = 5.0
"""To connect to a mirror that has no dial_timeout: there is another place to ask."""

MIRROR_ANSWER_SECONDS = 10.0
"""For a mirror's first answer about a manifest, as long as there is another place to ask."""

_HUB_HOST = "registry-1.docker.io"
"""Where the registry of `docker.io` really answers."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """One place to ask, and the terms on which it is asked."""

    url: str
    """Base of the API, without a slash at its end: `https://registry-1.docker.io/v2`."""
    is_origin: bool
    can_resolve: bool = True
    can_pull: bool = True
    tls: TlsRules = DEFAULT_TLS
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Sent to this origin only."""
    dial_timeout: float | None = None
    proxy: str = field(default="", repr=False)
    """URL of the proxy for this host, whatever the node's own settings say; empty for those."""
    namespace: str = ""
    """Value of the `ns` query, by which one mirror can serve several registries."""
    gets_credentials: bool = False
    """Whether the credentials of the reference's registry are for this endpoint too."""
    token_realms: tuple[str, ...] = ()
    credential_helper: str = ""
    """NAME of the docker-credential-NAME program that is asked for this endpoint."""
    place: str = field(default="", compare=False)
    """`DIRECTORY/hosts.toml:LINE` where its URL is written; empty when it is written nowhere."""
    is_written: bool = False
    """Its URL stands in hosts.toml; plain http that nobody wrote down gets no secret (security rule C2)."""
    rewrite: tuple[RewriteRule, ...] = ()
    is_foreign: bool = False
    """The url is the blob itself, named by a descriptor; nothing private is sent there."""

    @property
    def origin(self) -> Origin:
        """Scheme, host and port that secrets for this endpoint are bound to."""
        return origin_of(self.url)

    def repository_of(self, reference: Reference) -> str:
        """Give the name that this endpoint uses for the repository of `reference`.

        Raises:
            InvalidArgument: the rewrite rules make no repository name of it.
        """
        return rewritten(reference.path, self.rewrite, host=self.shown)

    @property
    def shown(self) -> str:
        """The base without `/v2`, as errors name it."""
        return redact_url(self.url).removesuffix("/v2")


def rule_directories(domain: str) -> tuple[str, ...]:
    """List the directory names that may hold the hosts.toml of `domain`, the first found wins.

    containerd writes the port as `host_port_`, because a colon is not a file name everywhere.
    """
    host, colon, port = domain.rpartition(":")
    plain = (domain,)
    if colon and port.isdigit():
        return (f"{host}_{port}_", *plain, DEFAULT_DIRECTORY)
    return (*plain, DEFAULT_DIRECTORY)


def endpoints_for(reference: Reference, rules: HostRules | None) -> tuple[Endpoint, ...]:
    """List the endpoints of `reference`: mirrors in the order of the file, then the origin.

    Args:
        reference: what will be asked for.
        rules: the registry's hosts.toml, or None when there is none.
    """
    found = rules or HostRules()
    tls = found.server.tls
    # whoever keeps certificates for a registry on the loopback means TLS
    usual = _default_url(reference.domain, is_secure=bool(tls.ca or tls.client))
    mirrors = tuple(_endpoint(reference, entry, usual) for entry in found.hosts)
    server = _endpoint(reference, found.server, usual, is_server=True)
    return (*mirrors, server)


def _endpoint(
    reference: Reference, entry: HostEntry, usual: str, *, is_server: bool = False
) -> Endpoint:
    written = entry.url or usual
    url = _canonical_host(written)
    same_place = origin_of(url) == origin_of(usual)
    trusted = same_place or is_server or entry.send_credentials
    # http that nobody wrote down carries no secret (rule C2)
    is_private = origin_of(url).is_encrypted or bool(entry.url)
    return Endpoint(
        url=_api_base(url, override_path=entry.override_path),
        is_origin=is_server or same_place,
        can_resolve="resolve" in entry.capabilities,
        can_pull="pull" in entry.capabilities,
        tls=entry.tls,
        headers=entry.headers,
        dial_timeout=entry.dial_timeout or (None if is_server or same_place else MIRROR_SECONDS),
        proxy=entry.proxy,
        namespace="" if same_place else reference.domain,
        gets_credentials=trusted and is_private,
        token_realms=entry.token_realms,
        credential_helper=entry.credential_helper,
        place=entry.place if entry.url else "",
        is_written=bool(entry.url),
        rewrite=entry.rewrite,
    )


def _default_url(domain: str, *, is_secure: bool) -> str:
    if domain == DEFAULT_DOMAIN:
        return f"https://{_HUB_HOST}"
    is_local = is_loopback(origin_of(f"https://{domain}").host)
    scheme = "http" if is_local and not is_secure else "https"
    return f"{scheme}://{domain}"


def _canonical_host(url: str) -> str:
    """Turn `https://docker.io`, which serves no API, into the host that does."""
    base = f"https://{DEFAULT_DOMAIN}"
    return f"https://{_HUB_HOST}" if url == base else url


def _api_base(url: str, *, override_path: bool) -> str:
    if override_path or url.endswith("/v2"):
        return url
    return f"{url}/v2"
