"""The registry client: what the rest of `image` may ask of a registry.

It resolves references, fetches configs and streams layers, over mirrors first and the origin last. It never stores
anything, and hands out no byte that it has not counted and hashed.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from types import TracebackType
from typing import Self

from image.errors import FailedPrecondition, InvalidArgument
from image.model.descriptor import Descriptor
from image.model.digest import Digest
from image.model.image_config import MAX_CONFIG_BYTES
from image.model.media_types import is_nondistributable
from image.model.platform import Platform
from image.model.records import RegistryAuth
from image.model.reference import Reference
from image.protocol.endpoint_outcome import EndpointReport
from image.protocol.foreign_urls import foreign_endpoints
from image.protocol.mirror_rules import Endpoint
from image.protocol.proxy_rules import ProxyRules
from image.protocol.retry_policy import RetryPolicy
from image.protocol.transport_limits import TransportLimits
from image.registry.bearer_token import AuthorizationSource
from image.registry.credential_source import CredentialSource
from image.registry.download import RESTART_REASON, BlobDownload, RunningHash
from image.registry.endpoint_caller import EndpointCaller
from image.registry.endpoint_health import EndpointHealth
from image.registry.endpoint_report import report_endpoints
from image.registry.endpoint_rounds import Habits
from image.registry.http_transport import HttpTransport
from image.registry.node_knowledge import NodeKnowledge
from image.registry.referrers import list_referrers
from image.registry.request_listener import RequestListener
from image.registry.resolve import ManifestResolver
from image.registry.resolved_image import ResolvedImage
from image.registry.tags import list_tags

__all__ = ["RegistryClient", "ResolvedImage"]

_MAX_DISTRUSTED = 256


class RegistryClient:
    """One client per daemon or worker; its connections and tokens are shared by all pulls."""

    def __init__(
        self,
        *,
        node: NodeKnowledge,
        proxy: str = "",
        no_proxy: str = "",
        user_agent: str = "lading",
        limits: TransportLimits | None = None,
        retry: RetryPolicy | None = None,
        health: EndpointHealth | None = None,
        listener: RequestListener | None = None,
    ) -> None:
        self._rules = node.rules
        self._transport = HttpTransport(
            tls=node.tls,
            proxy=ProxyRules(proxy=proxy, no_proxy=no_proxy),
            user_agent=user_agent,
            limits=limits or TransportLimits(),
        )
        self._habits = Habits(
            policy=retry or RetryPolicy(), health=health or EndpointHealth(), listener=listener
        )
        self._group = asyncio.TaskGroup()
        self._probes: list[asyncio.Task[None]] = []
        authorization = AuthorizationSource(self._transport)
        self._caller = EndpointCaller(self._transport, authorization, listener)
        self._node_credentials = node.credentials
        self._distrusted: dict[tuple[str, Digest], None] = {}
        self._served: dict[str, str] = {}

    async def __aenter__(self) -> Self:
        await self._transport.__aenter__()
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for probe in self._probes:
            probe.cancel()
        await self._group.__aexit__(None, None, None)
        await self._transport.__aexit__(kind, error, traceback)

    async def resolve(
        self,
        reference: Reference,
        *,
        platform: Platform,
        auth: RegistryAuth | None,
        require_schema2: bool = False,
    ) -> ResolvedImage:
        """Find the image that `reference` means on `platform`, and verify its manifest.

        Raises:
            NotFound: no such manifest, or none for the platform.
            PermissionDenied: the registry refused access.
            FailedPrecondition: what came is no usable image, or not what was asked for.
            Unavailable: no endpoint answered properly; reason `RegistryUnavailable`.
            InvalidArgument: hosts.toml or the credentials have an error.
        """
        resolver = await self._resolver(reference, auth, require_schema2=require_schema2)
        return await resolver.resolve(platform)

    async def current_digest(
        self, reference: Reference, *, auth: RegistryAuth | None
    ) -> Digest | None:
        """Ask by HEAD what the tag of `reference` means now; None when that cannot be learnt so.

        Raises:
            InvalidArgument: hosts.toml or the credentials have an error.
        """
        return await (await self._resolver(reference, auth)).current_digest()

    async def fetch_manifest(
        self, reference: Reference, *, auth: RegistryAuth | None
    ) -> tuple[Digest, bytes, str] | None:
        """Get digest, verified bytes and endpoint of a manifest of any kind; None when there is none.

        Raises:
            ImageError: as `resolve`.
        """
        return await (await self._resolver(reference, auth)).fetch_manifest()

    async def report_endpoints(
        self, reference: Reference, *, auth: RegistryAuth | None
    ) -> tuple[EndpointReport, ...]:
        """Ask every endpoint of `reference` once what it says, in the order of a pull; downloads nothing.

        Raises:
            InvalidArgument: hosts.toml has an error.
        """
        return await report_endpoints(
            self._caller,
            await self._rules.endpoints_of(reference),
            CredentialSource(self._node_credentials, reference, auth),
            reference=reference,
        )

    async def _endpoints_of(self, reference: Reference) -> tuple[Endpoint, ...]:
        """List the endpoints of `reference`; those that may be back are probed meanwhile."""
        endpoints = await self._rules.endpoints_of(reference)
        for endpoint in self._habits.health.take_due(endpoints):
            probe = self._group.create_task(self._probe(endpoint), name=f"probe {endpoint.shown}")
            self._probes.append(probe)
        return endpoints

    async def _probe(self, endpoint: Endpoint) -> None:
        if await self._caller.reaches(endpoint):
            self._habits.health.note_answer(endpoint)
        else:
            self._habits.health.note_unreachable(endpoint)

    async def _resolver(
        self, reference: Reference, auth: RegistryAuth | None, *, require_schema2: bool = False
    ) -> ManifestResolver:
        return ManifestResolver(
            self._caller,
            await self._endpoints_of(reference),
            self._habits,
            reference=reference,
            auth=auth,
            credentials=CredentialSource(self._node_credentials, reference, auth),
            require_schema2=require_schema2,
        )

    async def fetch_config(self, image: ResolvedImage) -> bytes:
        """Fetch the config of `image`, verified and of at most 8 MiB.

        Raises:
            FailedPrecondition: too large, or not what the manifest says.
            ImageError: as `resolve`.
        """
        size = image.config.size
        if size > MAX_CONFIG_BYTES:
            raise FailedPrecondition(
                f"config of {image.reference}",
                f"has {size} bytes, more than {MAX_CONFIG_BYTES}",
                reason="TooLarge",
            )
        try:
            return await self.fetch_blob(image.reference, image.config, auth=image.auth)
        except FailedPrecondition as error:
            if error.reason != RESTART_REASON:
                raise
        return await self.fetch_blob(image.reference, image.config, auth=image.auth)

    async def download(
        self,
        image: ResolvedImage,
        layer: Descriptor,
        *,
        offset: int = 0,
        known: RunningHash | None = None,
    ) -> AsyncGenerator[bytes, None]:
        """Stream the blob of `layer` from `offset` on; close it (`contextlib.aclosing`) if you stop early.

        The digest is checked here when the offset is 0, or `known` is the hash of what lies before it (each piece is
        added before it is handed out); otherwise only the reader has all bytes.

        Raises:
            FailedPrecondition: after the last byte, when they do not have their digest. The reason is
                `DigestMismatch` (final) or `DigestMismatchRestart` (once more from byte 0 may help).
            ImageError: as `resolve`.
        """
        if not 0 <= offset <= max(layer.size, 0):
            raise InvalidArgument(
                f"layer {layer.digest}", f"has no byte {offset} of {layer.size} to go on from"
            )
        pieces = self._stream(image.reference, image.auth, layer, offset, known)
        async with contextlib.aclosing(pieces):
            async for piece in pieces:
                yield piece

    async def fetch_blob(
        self, reference: Reference, blob: Descriptor, *, auth: RegistryAuth | None
    ) -> bytes:
        """Fetch a small blob of the repository of `reference`, verified; the caller has judged its size.

        Raises:
            ImageError: as `resolve`.
        """
        body = bytearray()
        async with contextlib.aclosing(self._stream(reference, auth, blob)) as pieces:
            async for piece in pieces:
                body += piece
        return bytes(body)

    async def _stream(
        self,
        reference: Reference,
        auth: RegistryAuth | None,
        layer: Descriptor,
        offset: int = 0,
        known: RunningHash | None = None,
    ) -> AsyncGenerator[bytes, None]:
        endpoints = await self._blob_endpoints(reference, layer)
        transfer = BlobDownload(
            self._caller,
            endpoints,
            self._habits,
            reference=reference,
            blob=layer,
            credentials=CredentialSource(self._node_credentials, reference, auth),
            offset=offset,
            known=known,
        )
        try:
            async with contextlib.aclosing(transfer.stream()) as pieces:
                async for piece in pieces:
                    yield piece
        except FailedPrecondition as error:
            if error.reason == RESTART_REASON:
                self._distrust(transfer.sources, layer.digest)
            raise
        self._served[layer.digest] = ", ".join(dict.fromkeys(e.shown for e in transfer.sources))

    def source_of(self, digest: str) -> str:
        """Tell which endpoint served a blob to this client; several when it was resumed elsewhere, empty for none."""
        return self._served.get(digest, "")

    async def list_tags(
        self, reference: Reference, *, auth: RegistryAuth | None
    ) -> tuple[str, ...]:
        """List all tags of the repository of `reference`, in the registry's order.

        Raises:
            ImageError: as `resolve`.
        """
        endpoints = await self._endpoints_of(reference)
        return await list_tags(
            self._caller,
            endpoints,
            self._habits,
            reference=reference,
            credentials=CredentialSource(self._node_credentials, reference, auth),
        )

    async def list_referrers(
        self, reference: Reference, digest: Digest, *, auth: RegistryAuth | None
    ) -> tuple[Descriptor, ...] | None:
        """List what refers to a manifest of the repository of `reference`; None when the registry has no such API.

        Raises:
            Unavailable: no endpoint answered properly.
        """
        return await list_referrers(
            self._caller,
            await self._endpoints_of(reference),
            self._habits,
            reference=reference,
            digest=digest,
            credentials=CredentialSource(self._node_credentials, reference, auth),
        )

    async def _blob_endpoints(self, reference: Reference, blob: Descriptor) -> list[Endpoint]:
        """List who may have the blob: its own urls if it is foreign, then mirrors and origin."""
        endpoints = [e for e in await self._endpoints_of(reference) if e.can_pull]
        if is_nondistributable(blob.media_type):
            endpoints = [*foreign_endpoints(blob.urls), *endpoints]
        trusted = [e for e in endpoints if (e.url, blob.digest) not in self._distrusted]
        return trusted or endpoints

    def _distrust(self, sources: list[Endpoint], digest: Digest) -> None:
        """Remember mirrors that sent wrong bytes of this blob, so that the next try asks others."""
        for endpoint in sources:
            if not endpoint.is_origin:
                self._distrusted[endpoint.url, digest] = None
        while len(self._distrusted) > _MAX_DISTRUSTED:
            del self._distrusted[next(iter(self._distrusted))]
