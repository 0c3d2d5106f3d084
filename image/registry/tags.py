"""The tags of a repository, page by page (distribution-spec, "Listing Tags"; pull rule 1.2).

Bounded in pages, bytes and tags; never fetches a manifest.
"""

from collections.abc import Sequence

from image.errors import FailedPrecondition, ImageError
from image.model.json_document import parse_json_object
from image.model.reference import Reference
from image.protocol.endpoint_outcome import EndpointFailure, FailureKind, Outcome
from image.protocol.link_header import next_page
from image.protocol.mirror_rules import Endpoint
from image.registry.credential_source import CredentialSource
from image.registry.endpoint_caller import EndpointCaller, tags_url
from image.registry.endpoint_rounds import EndpointRounds, Habits

_MAX_PAGE_BYTES = 4 * 1024 * 1024
_MAX_TAGS = 10_000
"""Far more than a node could hold images."""


async def list_tags(
    caller: EndpointCaller,
    endpoints: Sequence[Endpoint],
    habits: Habits,
    *,
    reference: Reference,
    credentials: CredentialSource,
) -> tuple[str, ...]:
    """List the tags of `reference`'s repository, in the registry's order.

    Raises:
        ImageError: every endpoint failed; lists them.
    """
    subject = f"tags of {reference.name}"
    rounds = EndpointRounds(subject, [e for e in endpoints if e.can_resolve], habits)
    while True:
        endpoint = await rounds.wait_next()
        try:
            return await _list_from(caller, endpoint, reference, credentials)
        except EndpointFailure as failure:
            rounds.note_failure(failure.outcome)


async def _list_from(
    caller: EndpointCaller,
    endpoint: Endpoint,
    reference: Reference,
    credentials: CredentialSource,
) -> tuple[str, ...]:
    tags: dict[str, None] = {}
    seen: set[str] = set()
    url: str | None = tags_url(endpoint, reference)
    credential = await credentials.credential_of(endpoint)
    while url is not None and url not in seen:
        seen.add(url)
        call = caller.get(endpoint, url, reference=reference, credential=credential)
        async with call as response:
            try:
                page = _read_page(await response.read_capped(_MAX_PAGE_BYTES), reference)
                url = next_page(response.header("Link"), current=url)
            except ImageError as error:
                outcome = Outcome(
                    endpoint=endpoint.shown,
                    kind=FailureKind.REFUSED,
                    text=error.cause,
                    error=error,
                )
                raise EndpointFailure(outcome) from error
        tags.update(dict.fromkeys(page))
        if len(tags) > _MAX_TAGS:
            raise FailedPrecondition(
                f"tags of {reference.name}", f"are more than {_MAX_TAGS}", reason="TooLarge"
            )
    return tuple(tags)


def _read_page(body: bytes | None, reference: Reference) -> list[str]:
    """Type-check one page; each tag must be one, since it becomes part of a reference and a URL."""
    subject = f"tags of {reference.name}"
    if body is None:
        raise FailedPrecondition(subject, f"a page has over {_MAX_PAGE_BYTES} bytes")
    document = parse_json_object(body, subject=subject, max_bytes=_MAX_PAGE_BYTES)
    return [reference.with_tag(tag).tag for tag in document.texts("tags")]
