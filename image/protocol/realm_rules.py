"""Which token server may be asked, and which may see the credentials of a registry (security rule C1).

Pure. A registry names its token server in a challenge, so a hostile or broken one could name anybody's. A realm is
asked only over https (or on the registry's own host when that is plain http by configuration), never at a foreign IP
address, and gets credentials only on the registry's own domain or when the administrator listed it.
"""

from collections.abc import Sequence

from image.errors import PermissionDenied
from image.protocol.url_origin import Origin, ip_literal, is_forbidden_target, origin_of, redact_url

# parents under which strangers can register: sharing one proves nothing (cf. the Public Suffix List)
_SHARED_PARENTS = frozenset(
    {"azurecr.io", "amazonaws.com", "pkg.dev", "github.io", "gitlab.io", "cloudfront.net"}
    | {"azurewebsites.net", "herokuapp.com", "appspot.com", "run.app", "ngrok.io", "nip.io"}
)
_SECOND_LEVEL_WORDS = frozenset({"co", "com", "net", "org", "gov", "edu", "ac", "or", "ne", "go"})


def check_realm(
    realm: str, *, registry: Origin, allowed: Sequence[str], with_secret: bool
) -> Origin:
    """Accept a realm URL for a token request, or refuse and name it.

    Args:
        realm: the URL from the challenge.
        registry: the endpoint that sent the challenge.
        allowed: origins that the administrator listed (`token_realms` of hosts.toml).
        with_secret: whether credentials would be sent.

    Raises:
        PermissionDenied: the realm may not be asked; nothing was sent.
        FailedPrecondition: the realm is no URL.
    """
    target = origin_of(realm)
    same_host = target.host == registry.host
    if not target.is_encrypted and not (same_host and not registry.is_encrypted):
        raise _refusal(realm, registry, "is not https")
    if target in {origin_of(url) for url in allowed}:
        return target
    if is_forbidden_target(target.host) or (ip_literal(target.host) and not same_host):
        raise _refusal(realm, registry, "is a foreign IP address")
    if with_secret and not is_own_domain(target.host, registry.host):
        raise _refusal(realm, registry, "is on another domain, and credentials would be sent")
    return target


def is_own_domain(host: str, registry_host: str) -> bool:
    """Tell whether two hosts are of one owner: equal, one below the other, or siblings below one domain.

    `auth.docker.io` and `registry-1.docker.io` are; `a.azurecr.io` and `b.azurecr.io` are not.
    """
    if host == registry_host:
        return True
    if ip_literal(host) or ip_literal(registry_host):
        return False
    parent = registry_host.partition(".")[2]
    owned = [registry_host] if _is_shared(parent) else [registry_host, parent]
    below = any(host == domain or host.endswith(f".{domain}") for domain in owned)
    above = registry_host.endswith(f".{host}") and not _is_shared(host)
    return below or above


def _is_shared(domain: str) -> bool:
    """Tell whether `domain` is a public suffix as far as can be told without the list."""
    labels = domain.split(".")
    if len(labels) < 2:
        return True
    if any(domain == shared or domain.endswith(f".{shared}") for shared in _SHARED_PARENTS):
        return True
    return len(labels) == 2 and len(labels[1]) == 2 and labels[0] in _SECOND_LEVEL_WORDS


def _refusal(realm: str, registry: Origin, cause: str) -> PermissionDenied:
    shown = redact_url(realm)[:300]
    return PermissionDenied(
        f"token server {shown!r} named by {registry}",
        cause,
        remedy="if it is the right one, list it as token_realms in the hosts.toml of the registry",
        reason="RealmRefused",
    )
