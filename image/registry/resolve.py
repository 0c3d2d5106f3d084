"""From a reference to one verified manifest of one platform.

Manifests are fetched by GET with an Accept list (pull rule 1.3). Bytes are checked against the digest that was asked
for before anything else looks at them (1.5); what was asked for is what is hashed (security rule B2).
"""

import logging
from collections.abc import Sequence

from image.errors import FailedPrecondition, ImageError, InvalidArgument, NotFound
from image.model.descriptor import UNKNOWN_SIZE, Descriptor
from image.model.digest import Digest, matches_digest, parse_digest, sha256_digest
from image.model.manifest import MAX_MANIFEST_BYTES, Index, Manifest, parse_manifest
from image.model.media_types import (
    DOCKER_LAYER_GZIP,
    MANIFEST_ACCEPT,
    ManifestKind,
    bare_media_type,
    manifest_kind,
)
from image.model.platform import Platform, match_platform
from image.model.records import RegistryAuth
from image.model.reference import Reference
from image.model.schema1 import Schema1Manifest, canonical_payload
from image.model.validate import check_manifest_usable
from image.protocol.endpoint_outcome import EndpointFailure, FailureKind, Outcome
from image.protocol.mirror_rules import MIRROR_ANSWER_SECONDS, Endpoint
from image.registry.credential_source import CredentialSource
from image.registry.endpoint_caller import EndpointCaller, manifest_url
from image.registry.endpoint_rounds import EndpointRounds, Habits
from image.registry.http_transport import HttpResponse
from image.registry.resolved_image import ResolvedImage

_log = logging.getLogger(__name__)

_MAX_INDEX_DEPTH = 3  # an index in an index exists in the field; a chain of them is an attack
_ACCEPT = (("Accept", ", ".join(MANIFEST_ACCEPT)),)


class _Document:
    """Verified bytes of one manifest or index."""

    def __init__(self, raw: bytes, content_type: str, digest: Digest, endpoint: Endpoint) -> None:
        self.raw = raw
        self.content_type = content_type
        self.digest = digest
        self.endpoint = endpoint


class ManifestResolver:
    """Resolves one reference over its endpoints."""

    def __init__(
        self,
        caller: EndpointCaller,
        endpoints: Sequence[Endpoint],
        habits: Habits,
        *,
        reference: Reference,
        auth: RegistryAuth | None,
        credentials: CredentialSource,
        require_schema2: bool,
    ) -> None:
        self._caller = caller
        self._endpoints = endpoints
        self._habits = habits
        self._reference = reference
        self._auth = auth
        self._credentials = credentials
        self._require_schema2 = require_schema2

    async def resolve(self, platform: Platform) -> ResolvedImage:
        """Find the manifest for `platform`.

        Raises:
            NotFound: no such manifest, or none for the platform.
            PermissionDenied: the registry refused access.
            FailedPrecondition: what came is not acceptable.
            Unavailable: no endpoint answered properly.
        """
        reference = self._reference
        target = await self._fetch(str(reference), reference.digest, expected=None)
        found, chosen = target, self._parse(target)
        told: Platform | None = None
        for _ in range(_MAX_INDEX_DEPTH):
            if not isinstance(chosen, Index):
                break
            entry = self._choose(chosen, platform)
            told = entry.platform
            found = await self._fetch(
                f"{reference.name}@{entry.digest}", entry.digest, expected=entry
            )
            chosen = self._parse(found)
        if isinstance(chosen, Index):
            raise FailedPrecondition(
                str(reference),
                f"is an index of indexes, more than {_MAX_INDEX_DEPTH} deep",
                reason="InvalidManifest",
            )
        manifest = _converted(chosen, found) if isinstance(chosen, Schema1Manifest) else chosen
        check_manifest_usable(manifest, subject=str(reference))
        return ResolvedImage(
            reference=reference,
            target_digest=target.digest,
            manifest_digest=found.digest,
            manifest_bytes=found.raw,
            manifest=manifest,
            config=manifest.config,
            layers=manifest.layers,
            endpoint_url=found.endpoint.shown,
            platform=told,
            schema1=chosen if isinstance(chosen, Schema1Manifest) else None,
            auth=self._auth,
        )

    async def fetch_manifest(self) -> tuple[Digest, bytes, str] | None:
        """Get the verified bytes of the reference, whatever kind of manifest it is; None when it is unknown.

        Raises:
            ImageError: as `resolve`, but for NotFound.
        """
        try:
            found = await self._fetch(str(self._reference), self._reference.digest, expected=None)
        except NotFound:
            return None
        return found.digest, found.raw, found.endpoint.shown

    async def current_digest(self) -> Digest | None:
        """Ask by HEAD what the tag means now; None when no endpoint says it that way (pull rule 1.3).

        One endpoint is asked, once: whoever does not know HEAD, or has trouble, is asked by GET afterwards.
        """
        usable = [e for e in self._endpoints if e.can_resolve]
        for endpoint in self._habits.health.order(usable)[:1]:
            try:
                return await self._head(endpoint)
            except EndpointFailure as failure:
                if failure.outcome.kind is FailureKind.UNREACHABLE:
                    self._habits.health.note_unreachable(endpoint)  # the GET begins elsewhere
            except InvalidArgument:
                return None
        return None

    async def _head(self, endpoint: Endpoint) -> Digest:
        call = self._caller.get(
            endpoint,
            manifest_url(endpoint, self._reference, self._reference.tag),
            reference=self._reference,
            credential=await self._credentials.credential_of(endpoint),
            headers=_ACCEPT,
            method="HEAD",
            answer_timeout=None if endpoint.is_origin else MIRROR_ANSWER_SECONDS,
        )
        async with call as response:
            return parse_digest(response.header("Docker-Content-Digest"))

    def _choose(self, index: Index, platform: Platform) -> Descriptor:
        """Take the best entry that is a manifest; artifacts in an index are no images."""
        entries = [entry for entry in index.manifests if manifest_kind(entry.media_type)]
        try:
            matches = match_platform(platform, entries)
        except ImageError as error:
            error.subject = str(self._reference)
            raise
        if len(matches) > 1:
            _log.info(
                "%s: %d entries of the index suit %s, the best is %s",
                self._reference,
                len(matches),
                platform,
                matches[0].digest,
            )
        return matches[0]

    def _parse(self, document: _Document) -> Manifest | Index | Schema1Manifest:
        return parse_manifest(
            document.raw,
            document.content_type,
            subject=str(self._reference),
            require_schema2=self._require_schema2,
        )

    async def _fetch(
        self, subject: str, digest: Digest | None, *, expected: Descriptor | None
    ) -> _Document:
        """Get one document from the first endpoint that has it intact."""
        usable = [e for e in self._endpoints if (e.can_pull if digest else e.can_resolve)]
        rounds = EndpointRounds(subject, usable, self._habits)
        while True:
            endpoint = await rounds.wait_next()
            try:
                patience = MIRROR_ANSWER_SECONDS if rounds.is_hurried else None
                found = await self._fetch_from(endpoint, subject, digest, expected, patience)
            except EndpointFailure as failure:
                rounds.note_failure(failure.outcome)
            else:
                rounds.note_success()
                return found

    async def _fetch_from(
        self,
        endpoint: Endpoint,
        subject: str,
        digest: Digest | None,
        expected: Descriptor | None,
        patience: float | None,
    ) -> _Document:
        reference = self._reference
        call = self._caller.get(
            endpoint,
            manifest_url(endpoint, reference, digest or reference.tag),
            reference=reference,
            credential=await self._credentials.credential_of(endpoint),
            headers=_ACCEPT,
            answer_timeout=patience,
        )
        async with call as response:
            try:
                raw = await _read_manifest(response, subject)
                payload = _hashed_part(raw, response, digest, subject)
                found = _verified_digest(response, payload, digest, subject)
                content_type = _agreed_type(response, expected, {len(raw), len(payload)}, subject)
                document = _Document(payload, content_type, found, endpoint)
                self._parse(document)  # a mirror that serves an error page must not end the pull
            except ImageError as error:
                raise _content_failure(endpoint, error) from error
            return document


def _content_failure(endpoint: Endpoint, error: ImageError) -> EndpointFailure:
    return EndpointFailure(
        Outcome(endpoint=endpoint.shown, kind=FailureKind.REFUSED, text=error.cause, error=error)
    )


async def _read_manifest(response: HttpResponse, subject: str) -> bytes:
    raw = await response.read_capped(MAX_MANIFEST_BYTES)
    if raw is None:
        raise FailedPrecondition(
            subject, f"its manifest is larger than {MAX_MANIFEST_BYTES} bytes", reason="TooLarge"
        )
    return raw


def _hashed_part(raw: bytes, response: HttpResponse, digest: Digest | None, subject: str) -> bytes:
    """Give the part of the document that its digest is of: all of it, but of schema 1 the payload."""
    if digest is not None and matches_digest(raw, digest):
        return raw
    kind = manifest_kind(bare_media_type(response.header("Content-Type")))
    if kind in (ManifestKind.SCHEMA1, None) and b'"signatures"' in raw:
        return canonical_payload(raw, subject=subject)
    return raw


def _converted(old: Schema1Manifest, document: _Document) -> Manifest:
    """Write a schema 1 manifest as far as that can be done before its layers are here."""
    config = Descriptor(media_type="", digest=document.digest, size=UNKNOWN_SIZE)
    layers = tuple(
        Descriptor(media_type=DOCKER_LAYER_GZIP, digest=blob, size=UNKNOWN_SIZE)
        for blob in old.layers
    )
    return Manifest(config=config, layers=layers, media_type=old.media_type)


def _verified_digest(
    response: HttpResponse, raw: bytes, digest: Digest | None, subject: str
) -> Digest:
    """Give the digest of `raw`, which is the one asked for, or that of the bytes for a tag."""
    if digest is not None:
        if not matches_digest(raw, digest):
            raise _wrong_digest(subject, f"was asked for, {sha256_digest(raw)} came")
        return digest
    stated = response.header("Docker-Content-Digest")
    try:
        promised = parse_digest(stated) if stated else None
    except InvalidArgument as error:
        raise _wrong_digest(subject, f"{error.subject} is no digest") from error
    # distribution-spec, "Pulling manifests": the client verifies the header against the bytes
    if promised is not None and not matches_digest(raw, promised):
        raise _wrong_digest(subject, f"{promised} was promised, {sha256_digest(raw)} came")
    return promised or sha256_digest(raw)


def _agreed_type(
    response: HttpResponse, expected: Descriptor | None, sizes: set[int], subject: str
) -> str:
    """Give the media type that the header and the index entry agree on (security rules B1, B4)."""
    content_type = response.header("Content-Type")
    if expected is None:
        return content_type
    if expected.size not in sizes:
        raise FailedPrecondition(
            subject,
            f"has {max(sizes)} bytes, its index says {expected.size}",
            reason="SizeMismatch",
        )
    served = bare_media_type(content_type)
    kind = manifest_kind(served)
    # the two names of schema 1 mean one document, with its signatures or without
    same = served == expected.media_type or (
        kind is ManifestKind.SCHEMA1 and manifest_kind(expected.media_type) is kind
    )
    if kind is not None and not same:
        raise FailedPrecondition(
            subject,
            f"is served as {served}, its index says {expected.media_type}",
            reason="InvalidManifest",
        )
    return expected.media_type


def _wrong_digest(subject: str, cause: str) -> FailedPrecondition:
    return FailedPrecondition(
        subject,
        f"the manifest does not have its digest: {cause}",
        remedy="the registry or a proxy before it changes content",
        reason="DigestMismatch",
    )
