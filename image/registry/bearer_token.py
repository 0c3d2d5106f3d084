"""Authorization of requests: bearer tokens fetched and kept, or Basic, always for one origin.

A token is kept in memory for one endpoint, scope and credential until shortly before it expires (distribution-spec
token authentication; RFC 6750). The realm that a registry names is judged before anything is sent (rule C1).
"""

import asyncio
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import quote, urlencode

from image.errors import FailedPrecondition, ImageError
from image.model.json_document import JsonObject, parse_json_object
from image.protocol.auth_challenge import Challenge, choose_challenge
from image.protocol.endpoint_outcome import (
    EndpointFailure,
    FailureKind,
    Outcome,
    classify_answer,
)
from image.protocol.error_body import MAX_ERROR_BODY, describe_errors, parse_error_body
from image.protocol.hosts_file import TlsRules
from image.protocol.mirror_rules import Endpoint
from image.protocol.realm_rules import check_realm
from image.protocol.url_origin import Origin, redact_url
from image.registry.credentials import Credential, basic_header
from image.registry.http_transport import HttpResponse, HttpTransport, Request

MAX_TOKEN_BYTES = 1024 * 1024
"""Security rule B4; tokens of the field are 1 to 8 KiB."""

_DEFAULT_LIFETIME = 60.0  # distribution-spec token authentication: 60 s when `expires_in` is absent
_LONGEST_LIFETIME = 12 * 3600.0
_MAX_TOKENS = 1024
_SENDABLE = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Audience:
    """What an Authorization value is for; nothing is shared between two that differ."""

    origin: Origin
    scope: str
    credential: Credential | None = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Kept:
    header: str = field(repr=False)
    expires: float


class AuthorizationSource:
    """Gives the Authorization header of a request, and answers challenges."""

    def __init__(
        self, transport: HttpTransport, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._transport = transport
        self._clock = clock
        self._kept: dict[Audience, _Kept] = {}
        self._locks: dict[Audience, asyncio.Lock] = {}

    def known_header(self, audience: Audience) -> str | None:
        """Give the header that worked before and is still valid, or None."""
        if audience.credential is not None and audience.credential.registry_token:
            return f"Bearer {audience.credential.registry_token}"
        kept = self._kept.get(audience)
        return kept.header if kept is not None and kept.expires > self._clock() else None

    async def answer(
        self,
        endpoint: Endpoint,
        audience: Audience,
        challenges: Sequence[Challenge],
        *,
        rejected: str | None,
    ) -> str | None:
        """Obtain a header that answers `challenges`, or None when nothing new can be offered.

        Args:
            endpoint: who asked.
            audience: what the header is for.
            challenges: what it asked for.
            rejected: the header that it just refused, if one was sent.

        Raises:
            PermissionDenied: the realm may not be asked.
            EndpointFailure: the token server refused or failed.
        """
        lock = self._locks.setdefault(audience, asyncio.Lock())
        async with lock:
            known = self.known_header(audience)
            if known is not None and known != rejected:
                return known  # another request fetched it while this one waited
            self._kept.pop(audience, None)
            self._forget_expired()
            challenge = choose_challenge(challenges)
            if challenge is None:
                return None
            if challenge.scheme == "basic":
                kept = self._basic(audience)
            else:
                kept = await self._fetch_token(endpoint, audience, challenge)
            if kept is None or kept.header == rejected:
                return None
            self._kept[audience] = kept
            return kept.header

    def _basic(self, audience: Audience) -> _Kept | None:
        credential = audience.credential
        if credential is None or not credential.username:
            return None
        return _Kept(header=basic_header(credential), expires=self._clock() + _LONGEST_LIFETIME)

    async def _fetch_token(
        self, endpoint: Endpoint, audience: Audience, challenge: Challenge
    ) -> _Kept | None:
        credential = audience.credential
        if credential is not None and credential.registry_token:
            return None  # it was sent and refused; there is no other
        realm = challenge.get("realm")
        target = check_realm(
            realm,
            registry=audience.origin,
            allowed=endpoint.token_realms,
            with_secret=credential is not None,
        )
        scope = challenge.get("scope") or audience.scope
        request = _token_request(realm, challenge.get("service"), scope, credential)
        request = replace(
            request,
            tls=_tls_towards(target, endpoint),
            shown=_shown(endpoint, realm),
            proxy=endpoint.proxy,
        )
        started = self._clock()
        async with self._transport.request(request) as response:
            return await _read_token(response, request.shown, started)

    def _forget_expired(self) -> None:
        now = self._clock()
        self._kept = {key: kept for key, kept in self._kept.items() if kept.expires > now}
        idle = [key for key, lock in self._locks.items() if not lock.locked()]
        if len(self._locks) > _MAX_TOKENS:
            for key in idle:
                del self._locks[key]
        if len(self._kept) > _MAX_TOKENS:
            self._kept.clear()


def _token_request(realm: str, service: str, scope: str, credential: Credential | None) -> Request:
    """Ask by GET, or by the OAuth2 refresh grant when there is an identity token (RFC 6749 section 6)."""
    if credential is not None and credential.identity_token:
        form = (
            ("grant_type", "refresh_token"),
            ("service", service),
            ("client_id", "lading"),
            ("scope", scope),
            ("refresh_token", credential.identity_token),
        )
        return Request(url=realm, shown="", form=form)
    # one parameter for each scope of a challenge that names several ("Token Authentication Specification", `scope`)
    scopes = [("scope", one) for one in dict.fromkeys(scope.split())]
    query = urlencode([("service", service)] * bool(service) + scopes, quote_via=quote)
    private: tuple[tuple[str, str], ...] = ()
    if credential is not None:
        private = (("Authorization", basic_header(credential)),)
    joint = "&" if "?" in realm else "?"
    return Request(url=f"{realm}{joint}{query}", shown="", private_headers=private)


def _tls_towards(target: Origin, endpoint: Endpoint) -> TlsRules:
    """Keep the registry's own certificates for all legs, its exceptions for its own origin (rule C2)."""
    return endpoint.tls if target == endpoint.origin else TlsRules(ca=endpoint.tls.ca)


def _shown(endpoint: Endpoint, realm: str) -> str:
    return f"{endpoint.shown} -> token server {redact_url(realm)[:300]}"


async def _read_token(response: HttpResponse, shown: str, started: float) -> _Kept:
    if response.status != 200:
        entries = parse_error_body(await response.read_capped(MAX_ERROR_BODY) or b"")
        text = f"answered {response.status} {describe_errors(entries)}".rstrip()
        kind = classify_answer(response.status, [entry.code for entry in entries])
        if response.status == 400:  # RFC 6749 section 5.2: invalid_grant and the like
            kind = FailureKind.UNAUTHORISED
        raise EndpointFailure(Outcome(endpoint=shown, kind=kind, text=text))
    body = await response.read_capped(MAX_TOKEN_BYTES)
    try:
        if body is None:
            raise FailedPrecondition(shown, f"sent more than {MAX_TOKEN_BYTES} bytes")
        document = parse_json_object(body, subject=shown, max_bytes=MAX_TOKEN_BYTES)
        return _kept_from(document, started)
    except ImageError as error:
        outcome = Outcome(endpoint=shown, kind=FailureKind.REFUSED, text=error.cause)
        raise EndpointFailure(outcome) from error


def _kept_from(document: JsonObject, started: float) -> _Kept:
    token = document.text("token", default="") or document.text("access_token", default="")
    if not _SENDABLE.fullmatch(token):
        raise FailedPrecondition(document.subject, "sent no usable token")
    lifetime = _DEFAULT_LIFETIME
    if document.has("expires_in"):
        lifetime = float(min(max(document.integer("expires_in"), 0), int(_LONGEST_LIFETIME)))
    # a tenth is kept back for clocks and for the time a request takes
    return _Kept(header=f"Bearer {token}", expires=started + 0.9 * lifetime)
