"""What each endpoint of a reference says to one manifest request: for operators who ask why a pull goes where it goes.

Asks every endpoint once, in the order of a pull, with the same URL, credential and headers; downloads nothing but an
answer's head, retries nothing, and changes no one's opinion of an endpoint.
"""

import time
from collections.abc import Callable, Sequence

from image.errors import ImageError
from image.model.media_types import MANIFEST_ACCEPT
from image.model.reference import Reference
from image.protocol.endpoint_outcome import EndpointFailure, EndpointReport
from image.protocol.mirror_rules import Endpoint
from image.protocol.url_origin import redact_url
from image.registry.credential_source import CredentialSource, FoundCredential
from image.registry.endpoint_caller import EndpointCaller, manifest_url

_ACCEPT = (("Accept", ", ".join(MANIFEST_ACCEPT)),)


async def report_endpoints(
    caller: EndpointCaller,
    endpoints: Sequence[Endpoint],
    credentials: CredentialSource,
    *,
    reference: Reference,
    clock: Callable[[], float] = time.monotonic,
) -> tuple[EndpointReport, ...]:
    """Ask every endpoint for the manifest of `reference`, one after the other."""
    return tuple([await _report(caller, one, credentials, reference, clock) for one in endpoints])


async def _report(
    caller: EndpointCaller,
    endpoint: Endpoint,
    credentials: CredentialSource,
    reference: Reference,
    clock: Callable[[], float],
) -> EndpointReport:
    begin, url, digest, found = clock(), endpoint.shown, "", FoundCredential()
    asked = endpoint.can_pull if reference.digest else endpoint.can_resolve
    works = False
    try:
        url = manifest_url(endpoint, reference, reference.version)
        found = await credentials.find(endpoint)
        result = "not asked: hosts.toml lacks the capability"
        if asked:
            call = caller.get(
                endpoint, url, reference=reference, credential=found.credential, headers=_ACCEPT
            )
            async with call as response:
                result, works = str(response.status), True
                digest = response.header("Docker-Content-Digest")
    except EndpointFailure as failure:
        result = failure.outcome.text
    except ImageError as error:
        result = f"{error.subject}: {error.cause}"
    return EndpointReport(
        url=redact_url(url),
        rule=endpoint.place if endpoint.is_written else "origin",
        auth=found.source,
        why=found.why,
        asked=asked,
        works=works,
        result=result,
        digest=digest[:140],
        seconds=clock() - begin,
    )
