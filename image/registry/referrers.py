"""What refers to a manifest: signatures and the like (distribution-spec 1.1, "Listing Referrers").

Asks the API of each endpoint that may resolve; a mirror that lists nothing has perhaps not copied what the origin has,
so the next is asked. Bounded in pages and entries; never fetches what is listed.
"""

from collections.abc import Sequence

from image.errors import FailedPrecondition, ImageError, NotFound, PermissionDenied
from image.model.descriptor import Descriptor
from image.model.digest import Digest
from image.model.manifest import MAX_MANIFEST_BYTES, Index, parse_manifest
from image.model.media_types import OCI_INDEX
from image.model.reference import Reference
from image.protocol.endpoint_outcome import EndpointFailure, FailureKind, Outcome
from image.protocol.link_header import next_page
from image.protocol.mirror_rules import Endpoint
from image.registry.credential_source import CredentialSource
from image.registry.endpoint_caller import EndpointCaller, referrers_url
from image.registry.endpoint_rounds import EndpointRounds, Habits
from image.registry.http_transport import HttpResponse

_MAX_PAGES = 16
_MAX_REFERRERS = 1000
_ACCEPT = (("Accept", OCI_INDEX),)


async def list_referrers(
    caller: EndpointCaller,
    endpoints: Sequence[Endpoint],
    habits: Habits,
    *,
    reference: Reference,
    digest: Digest,
    credentials: CredentialSource,
) -> tuple[Descriptor, ...] | None:
    """List what refers to `digest` in the repository of `reference`; None when nobody has this API.

    Raises:
        Unavailable: no endpoint answered properly.
    """
    subject = f"referrers of {reference.name}@{digest}"
    rounds = EndpointRounds(subject, [e for e in endpoints if e.can_resolve], habits)
    while True:
        try:
            endpoint = await rounds.wait_next()
        except (NotFound, FailedPrecondition, PermissionDenied):
            return None  # older registries answer 404, 405 or 403 to a route that they do not know
        try:
            found = await _list_from(caller, endpoint, reference, digest, credentials)
        except EndpointFailure as failure:
            rounds.note_failure(failure.outcome)
            continue
        if found or endpoint.is_origin:
            return found
        kind = FailureKind.NOT_FOUND
        rounds.note_failure(Outcome(endpoint=endpoint.shown, kind=kind, text="lists no referrers"))


async def _list_from(
    caller: EndpointCaller,
    endpoint: Endpoint,
    reference: Reference,
    digest: Digest,
    credentials: CredentialSource,
) -> tuple[Descriptor, ...]:
    found: list[Descriptor] = []
    url: str | None = referrers_url(endpoint, reference, digest)
    credential = await credentials.credential_of(endpoint)
    for _ in range(_MAX_PAGES):
        if url is None:
            break
        call = caller.get(
            endpoint, url, reference=reference, credential=credential, headers=_ACCEPT
        )
        async with call as response:
            try:
                found += await _read_page(response, endpoint)
                url = next_page(response.header("Link"), current=url)
            except ImageError as error:
                outcome = Outcome(
                    endpoint=endpoint.shown, kind=FailureKind.REFUSED, text=error.cause
                )
                raise EndpointFailure(outcome) from error
    return tuple(found[:_MAX_REFERRERS])


async def _read_page(response: HttpResponse, endpoint: Endpoint) -> tuple[Descriptor, ...]:
    subject = f"referrers listed by {endpoint.shown}"
    raw = await response.read_capped(MAX_MANIFEST_BYTES)
    if raw is None:
        raise FailedPrecondition(subject, f"have over {MAX_MANIFEST_BYTES} bytes")
    index = parse_manifest(raw, response.header("Content-Type"), subject=subject)
    if not isinstance(index, Index):
        raise FailedPrecondition(subject, "are no index")
    return index.manifests
