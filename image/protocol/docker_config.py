"""Docker's config.json as far as it holds credentials: `auths`, `credHelpers` and `credsStore`.

Pure: bytes in, and for a host either the stored pair or the name of the helper program that knows it. Keys are hosts,
with or without scheme and path (`https://index.docker.io/v1/`), or a host and the beginning of a repository name; the
longest one that fits wins. Never prints a value.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from image.errors import FailedPrecondition, InvalidArgument
from image.model.json_document import JsonObject, parse_json_object
from image.model.records import RegistryAuth
from image.model.reference import DEFAULT_DOMAIN
from image.protocol.hosts_file import is_helper_name

MAX_CONFIG_BYTES = 4 * 1024 * 1024
HUB_SERVER = "https://index.docker.io/v1/"
"""The name under which Docker's tools keep the credentials of Docker Hub."""

Value = TypeVar("Value")

_HUB_NAMES = frozenset({"index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"})


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredCredential:
    """Where the credentials of a host are: here, or with a program."""

    auth: RegistryAuth | None = field(default=None, repr=False)
    helper: str = ""
    """NAME of docker-credential-NAME."""
    server: str = ""
    """What the helper is asked for."""
    source: str = ""
    """What an operator is told: `auths`, `credHelpers`, `credsStore`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DockerConfig:
    """The credentials of one file."""

    auths: tuple[tuple[str, RegistryAuth], ...] = field(default=(), repr=False)
    helpers: tuple[tuple[str, str], ...] = ()
    """Host to helper name."""
    store: str = ""
    """Name of the helper for every other host."""

    def find(self, host: str, repository: str) -> StoredCredential | None:
        """Tell where the credentials for a repository of `host` are; None when the file knows none."""
        place = f"{canonical_host(host)}/{repository}"
        helper = _longest(place, self.helpers)
        if helper is not None:
            key, name = helper
            return StoredCredential(helper=name, server=_server_of(key), source="credHelpers")
        found = _longest(place, self.auths)
        if found is not None:
            return StoredCredential(auth=found[1], source="auths")
        if self.store:
            server = _server_of(canonical_host(host))
            return StoredCredential(helper=self.store, server=server, source="credsStore")
        return None


def canonical_host(address: str) -> str:
    """Reduce `https://index.docker.io/v1/` and the like to a host with its port; a path is dropped."""
    return _split(address)[0]


def parse_docker_config(raw: bytes, *, path: str) -> DockerConfig:
    """Read a config.json.

    Raises:
        InvalidArgument: it is not of the form; names the file and the key, never a value.
    """
    try:
        document = parse_json_object(raw, subject=path, max_bytes=MAX_CONFIG_BYTES)
        return DockerConfig(
            auths=_read_auths(document.child("auths")),
            helpers=tuple(
                (key, _helper(document, name)) for key, name in document.text_map("credHelpers")
            ),
            store=_helper(document, document.text("credsStore", default="")),
        )
    except FailedPrecondition as error:
        raise InvalidArgument(
            error.subject, error.cause, remedy="correct the file", reason="InvalidDockerConfig"
        ) from error


def _read_auths(entries: JsonObject | None) -> tuple[tuple[str, RegistryAuth], ...]:
    """Keep entries that hold something: with a credsStore Docker leaves empty ones."""
    if entries is None:
        return ()
    found = []
    for key in entries.fields:
        entry = entries.child(key)
        auth = RegistryAuth() if entry is None else _read_auth(entry)
        if auth != RegistryAuth():
            found.append((key, auth))
    return tuple(found)


def _read_auth(entry: JsonObject) -> RegistryAuth:
    return RegistryAuth(
        username=entry.text("username", default=""),
        password=entry.text("password", default=""),
        auth=entry.text("auth", default=""),
        identity_token=entry.text("identitytoken", default=""),
        registry_token=entry.text("registrytoken", default=""),
    )


def _helper(document: JsonObject, name: str) -> str:
    if name and not is_helper_name(name):
        raise FailedPrecondition(document.subject, f"names the impossible helper {name[:80]!r}")
    return name


def _split(address: str) -> tuple[str, str]:
    rest = address.partition("://")[2] or address
    host, _, path = rest.partition("/")
    host = host.rpartition("@")[2].lower().removesuffix(":443")
    return (DEFAULT_DOMAIN if host in _HUB_NAMES else host), path


def _longest(place: str, entries: Sequence[tuple[str, Value]]) -> tuple[str, Value] | None:
    """Give the entry whose key fits `place`, a host and a repository, best."""
    best: tuple[int, tuple[str, Value]] | None = None
    for entry in entries:
        host, path = _split(entry[0])
        # `v1/` and `v2/` are API paths of old tools, not repositories
        prefix = f"{host}/" if path.strip("/") in ("", "v1", "v2") else f"{host}/{path.strip('/')}"
        fits = place == prefix or place.startswith(prefix.rstrip("/") + "/")
        if fits and (best is None or len(prefix) > best[0]):
            best = (len(prefix), entry)
    return None if best is None else best[1]


def _server_of(key: str) -> str:
    return HUB_SERVER if canonical_host(key) == DEFAULT_DOMAIN else key
