"""One request to one endpoint, authorised: the step that resolving and downloading share.

A request is sent with what is known, and once more when the endpoint answers with a challenge that can be met. Never
retries and never changes the endpoint; that is `endpoint_rounds`.
"""

import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Literal
from urllib.parse import quote, urlsplit

from image.errors import FailedPrecondition, PermissionDenied
from image.model.reference import Reference
from image.protocol.auth_challenge import parse_challenges
from image.protocol.endpoint_outcome import (
    EndpointFailure,
    FailureKind,
    Outcome,
    classify_answer,
)
from image.protocol.error_body import MAX_ERROR_BODY, describe_errors, parse_error_body
from image.protocol.mirror_rules import Endpoint
from image.protocol.retry_policy import parse_retry_after
from image.registry.bearer_token import Audience, AuthorizationSource
from image.registry.credentials import Credential
from image.registry.http_transport import HttpResponse, HttpTransport, Request
from image.registry.request_listener import RequestListener

Headers = tuple[tuple[str, str], ...]
Method = Literal["GET", "HEAD"]


class EndpointCaller:
    """Sends requests of one repository to its endpoints."""

    def __init__(
        self,
        transport: HttpTransport,
        authorization: AuthorizationSource,
        listener: RequestListener | None = None,
    ) -> None:
        self._transport = transport
        self._authorization = authorization
        self._listener = listener

    @contextlib.asynccontextmanager
    async def get(
        self,
        endpoint: Endpoint,
        url: str,
        *,
        reference: Reference,
        credential: Credential | None,
        headers: Headers = (),
        accepted: tuple[int, ...] = (200,),
        method: Method = "GET",
        answer_timeout: float | None = None,
    ) -> AsyncIterator[HttpResponse]:
        """GET or HEAD `url` of `endpoint` and hold the answer open.

        With an `answer_timeout` its head must come in so many seconds, if that is less than usual.

        Raises:
            EndpointFailure: no answer, or a status that is not in `accepted`.
        """
        audience = Audience(
            origin=endpoint.origin,
            scope=f"repository:{endpoint.repository_of(reference)}:pull",
            credential=credential,
        )

        def made(authorization: str | None) -> Request:
            """Return the request with this authorization."""
            request = _request(endpoint, url, headers, authorization, method)
            return replace(request, answer_timeout=answer_timeout)

        offered = None if endpoint.is_foreign else self._authorization.known_header(audience)
        async with contextlib.AsyncExitStack() as open_answers:
            response = await self._sent(open_answers, endpoint, made(offered))
            # a challenge of whoever we were redirected to is not the endpoint's (rule C1)
            is_its_own = response.origin == endpoint.origin and not endpoint.is_foreign
            if response.status == 401 and is_its_own:
                body = await response.read_capped(MAX_ERROR_BODY)
                answer = await self._answer(endpoint, audience, response, offered)
                if answer is None:
                    raise _unexpected(endpoint, response, body)
                await open_answers.aclose()
                response = await self._sent(open_answers, endpoint, made(answer))
            if response.status not in accepted:
                raise _unexpected(endpoint, response, await response.read_capped(MAX_ERROR_BODY))
            yield response

    async def _sent(
        self, open_answers: contextlib.AsyncExitStack, endpoint: Endpoint, request: Request
    ) -> HttpResponse:
        try:
            response = await open_answers.enter_async_context(self._transport.request(request))
        except EndpointFailure:
            self._tell(endpoint, "failed")
            raise
        self._tell(endpoint, f"{response.status // 100}xx")
        return response

    def _tell(self, endpoint: Endpoint, answer: str) -> None:
        if self._listener is not None:
            # what descriptors point to is anybody's host: one word for all of them
            host = "foreign" if endpoint.is_foreign else urlsplit(endpoint.url).netloc
            self._listener.answered(host, answer)

    async def reaches(self, endpoint: Endpoint) -> bool:
        """Tell whether anything answers at `endpoint`; sends nothing private."""
        request = Request(
            url=f"{endpoint.url}/",
            shown=endpoint.shown,
            tls=endpoint.tls,
            dial_timeout=endpoint.dial_timeout,
        )
        try:
            async with self._transport.request(request):
                return True
        except EndpointFailure as failure:
            return failure.outcome.kind is not FailureKind.UNREACHABLE

    async def _answer(
        self,
        endpoint: Endpoint,
        audience: Audience,
        response: HttpResponse,
        offered: str | None,
    ) -> str | None:
        try:
            challenges = parse_challenges(response.header_lines("WWW-Authenticate"))
            return await self._authorization.answer(
                endpoint, audience, challenges, rejected=offered
            )
        except (PermissionDenied, FailedPrecondition) as error:
            text = f"{error.subject} {error.cause}"
            if error.remedy:
                text = f"{text}; {error.remedy}"
            outcome = Outcome(endpoint=endpoint.shown, kind=FailureKind.UNAUTHORISED, text=text)
            raise EndpointFailure(outcome) from error


def manifest_url(endpoint: Endpoint, reference: Reference, version: str) -> str:
    """Give the URL of a manifest (distribution-spec end-3)."""
    return _with_namespace(
        endpoint, f"{endpoint.url}/{endpoint.repository_of(reference)}/manifests/{version}"
    )


def blob_url(endpoint: Endpoint, reference: Reference, digest: str) -> str:
    """Give the URL of a blob (distribution-spec end-2); a foreign endpoint is the blob itself."""
    if endpoint.is_foreign:
        return endpoint.url
    return _with_namespace(
        endpoint, f"{endpoint.url}/{endpoint.repository_of(reference)}/blobs/{digest}"
    )


def tags_url(endpoint: Endpoint, reference: Reference) -> str:
    """Give the URL of the first page of tags (distribution-spec end-8a)."""
    return _with_namespace(
        endpoint, f"{endpoint.url}/{endpoint.repository_of(reference)}/tags/list"
    )


def referrers_url(endpoint: Endpoint, reference: Reference, digest: str) -> str:
    """Give the URL of the list of what refers to a manifest (distribution-spec end-12a)."""
    return _with_namespace(
        endpoint, f"{endpoint.url}/{endpoint.repository_of(reference)}/referrers/{digest}"
    )


def _with_namespace(endpoint: Endpoint, url: str) -> str:
    return f"{url}?ns={quote(endpoint.namespace, safe='')}" if endpoint.namespace else url


def _request(
    endpoint: Endpoint, url: str, headers: Headers, authorization: str | None, method: Method
) -> Request:
    private = endpoint.headers
    if authorization is not None:
        others = (line for line in private if line[0].lower() != "authorization")
        private = (*others, ("Authorization", authorization))
    request = Request(
        url=url,
        method=method,
        shown=endpoint.shown,
        headers=headers,
        private_headers=private,
        tls=endpoint.tls,
        dial_timeout=endpoint.dial_timeout,
        proxy=endpoint.proxy,
    )
    return replace(request, private_headers=()) if endpoint.is_foreign else request


def _unexpected(endpoint: Endpoint, response: HttpResponse, body: bytes | None) -> EndpointFailure:
    entries = parse_error_body(body or b"")
    text = f"{response.status} {describe_errors(entries)}".strip()
    if response.status == 401 and not endpoint.gets_credentials and not endpoint.is_foreign:
        text += " (credentials are not sent to this endpoint)"
    return EndpointFailure(
        Outcome(
            endpoint=response.shown,
            kind=classify_answer(response.status, [entry.code for entry in entries]),
            text=text,
            retry_after=parse_retry_after(response.header("Retry-After"), now=time.time()),
        )
    )
