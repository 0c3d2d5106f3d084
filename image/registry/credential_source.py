"""Who we are towards each endpoint of one pull: the request's credentials, a helper's, config.json's, or nobody.

The request wins, because the kubelet knows the pod's secrets; then the host's `credential_helper` of hosts.toml; then
docker's config.json. Each is asked at most once per host. What it gives is bound to that host (security rule C1).
"""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from image.errors import ImageError, InvalidArgument
from image.model.records import RegistryAuth
from image.model.reference import Reference
from image.protocol.docker_config import (
    MAX_CONFIG_BYTES,
    DockerConfig,
    StoredCredential,
    canonical_host,
    parse_docker_config,
)
from image.protocol.endpoint_outcome import EndpointFailure, FailureKind, Outcome
from image.protocol.mirror_rules import Endpoint
from image.registry.credential_helper import ask_helper
from image.registry.credentials import Credential, credential_for, read_credential


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundCredential:
    """A credential and where it came from, for `resolve` to show."""

    credential: Credential | None = field(default=None, repr=False)
    source: str = "anonymous"
    """`request`, `credential_helper NAME`, `auths`, `credHelpers`, `credsStore`, or `anonymous`."""
    why: str = field(default="", compare=False)
    """Why this one, or none, for an operator to read."""


def _nobody(why: str) -> FoundCredential:
    return FoundCredential(why=why)


class NodeCredentials:
    """What this node itself knows: config.json and helpers. Shared by all pulls of a client."""

    def __init__(self, config_path: str) -> None:
        self._path = config_path
        self._config: DockerConfig | ImageError | None = None
        self._asked: dict[tuple[str, str], RegistryAuth | ImageError | None] = {}
        self._lock = asyncio.Lock()

    def why(self, stored: StoredCredential) -> str:
        """Say where a credential is written."""
        if stored.source.startswith("credential_helper "):
            return "hosts.toml names the helper"
        asked = f", which names docker-credential-{stored.helper}" if stored.helper else ""
        return f"from {self._path}{asked}"

    def why_none(self, host: str) -> str:
        """Say why there is no credential for a host."""
        if not self._path:
            return "no pull secret, and image.docker_config_path is not set"
        return f"no pull secret, and {self._path} has none for {host}"

    async def learn_config(self) -> None:
        """Read config.json now, and for the last time; a mistake in it is told by `config`."""
        try:
            self._config = await self.config()
        except ImageError as error:
            self._config = error

    async def learn(self, helper: str, server: str) -> None:
        """Ask a helper now, and for the last time; its failure is told by `ask`."""
        try:
            self._asked[helper, server] = await ask_helper(helper, server)
        except ImageError as error:
            self._asked[helper, server] = error

    async def config(self) -> DockerConfig:
        """Read config.json, anew each time unless it was learnt; an unset path is an empty file.

        Raises:
            InvalidArgument: it cannot be read or understood.
        """
        if isinstance(self._config, ImageError):
            raise self._config
        if self._config is not None:
            return self._config
        if not self._path:
            return DockerConfig()
        return await asyncio.to_thread(_read_config, Path(self._path))

    async def ask(self, helper: str, server: str) -> RegistryAuth | None:
        """Ask a helper once per server."""
        async with self._lock:
            if (helper, server) not in self._asked:
                self._asked[helper, server] = await ask_helper(helper, server)
            found = self._asked[helper, server]
        if isinstance(found, ImageError):
            raise found
        return found


class CredentialSource:
    """The credentials of one reference, given out per endpoint."""

    def __init__(
        self, node: NodeCredentials, reference: Reference, auth: RegistryAuth | None
    ) -> None:
        self._node = node
        self._reference = reference
        self._auth = auth

    async def learn(self, endpoints: Sequence[Endpoint]) -> None:
        """Read config.json and ask all helpers for these endpoints, side by side, for the last time.

        Failures are told by `find`, when an endpoint is really asked.
        """
        if self._auth is not None:
            return
        await self._node.learn_config()
        helpers: set[tuple[str, str]] = set()
        for endpoint in endpoints:
            with contextlib.suppress(ImageError):
                stored = await self._stored(endpoint) if _may_have_one(endpoint) else None
                if stored is not None and stored.helper:
                    helpers.add((stored.helper, stored.server))
        async with asyncio.TaskGroup() as group:
            for helper, server in sorted(helpers):
                group.create_task(self._node.learn(helper, server), name=f"helper {helper}")

    async def credential_of(self, endpoint: Endpoint) -> Credential | None:
        """Give what may be sent to `endpoint`.

        Raises:
            InvalidArgument: credentials or config.json cannot be read.
            EndpointFailure: a helper failed.
        """
        return (await self.find(endpoint)).credential

    async def find(self, endpoint: Endpoint) -> FoundCredential:
        """Give it with its source.

        Raises:
            InvalidArgument: credentials or config.json cannot be read.
            EndpointFailure: a helper failed.
        """
        if self._auth is not None:
            credential = credential_for(self._auth, endpoint, self._reference)
            if credential is None:
                return _nobody("those of the request are for another host")
            return FoundCredential(credential=credential, source="request", why="given with it")
        if not _may_have_one(endpoint):
            return _nobody("none goes over plain http that no hosts.toml names")
        stored = await self._stored(endpoint)
        if stored is None:
            return _nobody(self._node.why_none(canonical_host(endpoint.url)))
        return await self._opened(endpoint, stored)

    async def _stored(self, endpoint: Endpoint) -> StoredCredential | None:
        host = canonical_host(endpoint.url)
        if endpoint.credential_helper:
            return StoredCredential(
                helper=endpoint.credential_helper,
                server=host,
                source=f"credential_helper {endpoint.credential_helper}",
            )
        config = await self._node.config()
        found = config.find(host, endpoint.repository_of(self._reference))
        if found is None and endpoint.gets_credentials:
            found = config.find(self._reference.domain, self._reference.path)
        return found

    async def _opened(self, endpoint: Endpoint, stored: StoredCredential) -> FoundCredential:
        auth = stored.auth
        if stored.helper:
            try:
                auth = await self._node.ask(stored.helper, stored.server)
            except ImageError as error:
                raise EndpointFailure(
                    Outcome(
                        endpoint=endpoint.shown,
                        kind=FailureKind.UNAUTHORISED,
                        text=f"{error.subject} {error.cause}",
                    )
                ) from error
        if auth is None:
            return _nobody(f"docker-credential-{stored.helper} knows none for {stored.server}")
        return FoundCredential(
            credential=read_credential(auth), source=stored.source, why=self._node.why(stored)
        )


def _may_have_one(endpoint: Endpoint) -> bool:
    return not endpoint.is_foreign and (endpoint.origin.is_encrypted or endpoint.is_written)


def _read_config(path: Path) -> DockerConfig:
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_CONFIG_BYTES + 1)
    except OSError as error:
        raise InvalidArgument(
            str(path),
            f"cannot be read: {error.strerror}",
            remedy="correct docker_config_path, or the file",
            reason="InvalidDockerConfig",
        ) from error
    return parse_docker_config(raw, path=str(path))
