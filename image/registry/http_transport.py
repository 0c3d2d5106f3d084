"""HTTP to registries, token servers and object stores: the one door of `image` to the network.

Every wait has a limit, every small body a cap. Redirects are followed here and by hand: what is private (headers,
client certificate, `skip_verify`) belongs to one origin and never goes to another (security rule C1), and https never
becomes http (C2). Never reads proxy settings or credentials from the environment.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field, replace
from types import SimpleNamespace, TracebackType
from typing import Self
from urllib.parse import urljoin

import aiohttp
from yarl import URL

from image.errors import FailedPrecondition
from image.protocol.endpoint_outcome import EndpointFailure, FailureKind, Outcome
from image.protocol.hosts_file import DEFAULT_TLS, TlsRules
from image.protocol.progress_watch import ProgressWatch
from image.protocol.proxy_rules import ProxyRules
from image.protocol.redirect_rules import check_redirect
from image.protocol.transport_limits import (
    CONNECT_REMEDY,
    FIRST_BYTE_REMEDY,
    RATE_REMEDY,
    TransportLimits,
)
from image.protocol.url_origin import Origin, origin_of, redact_text, redact_url
from image.registry.tls_contexts import TlsContexts

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MAX_REDIRECTS = 5  # curl stops at 50, Go at 10; registries need one, object stores seldom two
_READ_BUFFER = 256 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One GET or HEAD, or one POST when there is a form."""

    url: str = field(repr=False)
    shown: str
    """How errors name the endpoint; no secret."""
    headers: tuple[tuple[str, str], ...] = ()
    private_headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Sent to the origin of `url` and to no other."""
    form: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    method: str = "GET"
    tls: TlsRules = DEFAULT_TLS
    dial_timeout: float | None = None
    answer_timeout: float | None = None
    """Seconds to the head of the answer, where the transport's own limit is longer than the answer is worth."""
    proxy: str = field(default="", repr=False)
    """For this request and what it is redirected to; empty for what the transport's rules say."""


class HttpResponse:
    """The head of an answer, and its body as a stream."""

    def __init__(
        self, response: aiohttp.ClientResponse, request: Request, limits: TransportLimits
    ) -> None:
        self._response = response
        self._request = request
        self._limits = limits

    @property
    def status(self) -> int:
        """The status code."""
        return self._response.status

    @property
    def origin(self) -> Origin:
        """Who answered, after redirects."""
        return origin_of(self._request.url)

    @property
    def shown(self) -> str:
        """How errors name who answered."""
        return self._request.shown

    def header(self, name: str) -> str:
        """Give the first value of a header, empty when absent."""
        return self._response.headers.get(name, "")

    def header_lines(self, name: str) -> tuple[str, ...]:
        """Give every value of a header."""
        return tuple(self._response.headers.getall(name, ()))

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Stream the body in pieces of at most some 100 KiB.

        Raises:
            EndpointFailure: the connection broke, stalled or dripped.
        """
        loop = asyncio.get_running_loop()
        watch = ProgressWatch(
            window=self._limits.window, minimum=self._limits.minimum_bytes, started=loop.time()
        )
        while piece := await self._read_piece():
            received = watch.received + len(piece)
            if not watch.note(len(piece), now=loop.time()):
                text = self._limits.too_slow(received)
                raise _failure(self._request, text, remedy=RATE_REMEDY)
            paused = loop.time()
            yield piece
            watch.pause(loop.time() - paused)

    async def read_capped(self, limit: int) -> bytes | None:
        """Read the whole body; None when it has more than `limit` bytes.

        Raises:
            EndpointFailure: the connection broke, stalled or dripped.
        """
        body = bytearray()
        async with contextlib.aclosing(self.chunks()) as pieces:
            async for piece in pieces:
                body += piece
                if len(body) > limit:
                    return None
        return bytes(body)

    async def _read_piece(self) -> bytes:
        try:
            async with asyncio.timeout(self._limits.window):
                return await self._response.content.readany()
        except TimeoutError as error:
            raise _failure(self._request, self._limits.no_byte(), remedy=RATE_REMEDY) from error
        except (aiohttp.ClientError, OSError) as error:
            text = f"the connection broke while the body arrived ({type(error).__name__})"
            raise _failure(self._request, text) from error


class HttpTransport:
    """One connection pool; an async context manager."""

    def __init__(
        self,
        *,
        proxy: ProxyRules,
        user_agent: str,
        limits: TransportLimits,
        tls: TlsContexts | None = None,
    ) -> None:
        self._proxy = proxy
        self._user_agent = user_agent
        self._limits = limits
        self._tls = tls or TlsContexts()
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        trace = aiohttp.TraceConfig()
        trace.on_request_headers_sent.append(self._note_sent)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=64),
            cookie_jar=aiohttp.DummyCookieJar(),
            # a blob is wanted as it is stored, also when it is gzip
            auto_decompress=False,
            headers={"User-Agent": self._user_agent, "Accept-Encoding": "identity"},
            timeout=aiohttp.ClientTimeout(total=None),
            read_bufsize=_READ_BUFFER,
            # presigned URLs in Location are longer than the usual 8 KiB
            max_field_size=32 * 1024,
            trust_env=False,
            trace_configs=[trace],
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    @contextlib.asynccontextmanager
    async def request(self, request: Request) -> AsyncIterator[HttpResponse]:
        """Send `request`, follow its redirects, and hold the answer open.

        Raises:
            EndpointFailure: no answer came.
            InvalidArgument: a certificate file of the endpoint is unusable.
        """
        for _ in range(_MAX_REDIRECTS + 1):
            response = await self._send(request)
            try:
                location = _redirect_of(response, request)
                if location is None:
                    yield HttpResponse(response, request, self._limits)
                    return
                request = _redirected(request, location)
            finally:
                response.close()
        raise _failure(
            request, f"redirected more than {_MAX_REDIRECTS} times", kind=FailureKind.REFUSED
        )

    async def _send(self, request: Request) -> aiohttp.ClientResponse:
        assert self._session is not None, "the transport is used outside its context"
        target = origin_of(request.url)
        context = await self._tls.context_for(request.tls) if target.is_encrypted else True
        dial = request.dial_timeout or self._limits.connect
        proxy = request.proxy or self._proxy.proxy_for(target)
        longest = self._limits.first_byte
        sending = _Sending(min(longest, request.answer_timeout or longest))
        try:
            async with asyncio.timeout(dial) as sending.deadline:
                return await self._session.request(
                    "POST" if request.form else request.method,
                    URL(request.url, encoded=True),
                    headers=[*request.headers, *request.private_headers],
                    data=dict(request.form) or None,
                    allow_redirects=False,
                    proxy=proxy,
                    ssl=context,
                    timeout=aiohttp.ClientTimeout(total=None, sock_connect=dial),
                    trace_request_ctx=sending,
                )
        except TimeoutError as error:
            if sending.is_sent:
                text, remedy = self._limits.no_answer(sending.first_byte), FIRST_BYTE_REMEDY
            else:
                text, remedy = self._limits.no_connection(dial), CONNECT_REMEDY
            raise _failure(request, text, remedy=remedy) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _send_failure(request, error, proxy) from error

    async def _note_sent(
        self,
        _session: aiohttp.ClientSession,
        context: SimpleNamespace,
        _params: aiohttp.TraceRequestHeadersSentParams,
    ) -> None:
        """Start the budget of the first byte when the request is out, whatever connecting took."""
        sending: _Sending = context.trace_request_ctx
        sending.is_sent = True
        sending.deadline.reschedule(asyncio.get_running_loop().time() + sending.first_byte)


class _Sending:
    """A request on its way: which budget runs."""

    def __init__(self, first_byte: float) -> None:
        self.first_byte = first_byte
        self.deadline = asyncio.timeout(None)
        self.is_sent = False


def _redirect_of(response: aiohttp.ClientResponse, request: Request) -> str | None:
    if response.status not in _REDIRECTS or request.form:
        return None
    location = response.headers.get("Location", "")
    return urljoin(request.url, location) if location else None


def _redirected(request: Request, location: str) -> Request:
    """Make the next request; at another origin nothing private is left of it."""
    source = origin_of(request.url)
    try:
        target = check_redirect(location, source=source)
    except FailedPrecondition as error:
        text = f"{error.subject} {error.cause}"
        raise _failure(request, text, kind=FailureKind.REFUSED) from error
    if target == source:
        return replace(request, url=location)
    return replace(
        request,
        url=location,
        private_headers=(),
        tls=TlsRules(ca=request.tls.ca),
        shown=f"{request.shown.partition(' -> ')[0]} -> {target}",
    )


def _send_failure(request: Request, error: Exception, proxy: str | None) -> EndpointFailure:
    match error:
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientSSLError():
            text = f"TLS failed: {redact_text(str(error))}"
            return _failure(request, text, kind=FailureKind.UNTRUSTED)
        case aiohttp.ClientConnectorDNSError():
            return _failure(request, "the name cannot be resolved")
        case aiohttp.ClientHttpProxyError():
            text = f"the proxy {redact_url(proxy or '')} refused with status {error.status}"
            return _failure(request, text)
        case aiohttp.InvalidURL() | aiohttp.InvalidUrlClientError() if proxy:
            return _failure(request, "the proxy is no usable http or https URL")
        case aiohttp.ClientProxyConnectionError():
            return _failure(request, f"the proxy {redact_url(proxy or '')} cannot be reached")
        case aiohttp.ClientConnectorError():
            return _failure(request, f"cannot connect: {error.strerror or 'no route'}")
        case aiohttp.ServerDisconnectedError():
            return _failure(request, "closed the connection without an answer")
        case _:
            return _failure(request, f"no usable answer ({type(error).__name__})")


def _failure(
    request: Request,
    text: str,
    *,
    kind: FailureKind = FailureKind.UNREACHABLE,
    remedy: str = "",
) -> EndpointFailure:
    outcome = Outcome(endpoint=request.shown, kind=kind, text=text, remedy=remedy)
    return EndpointFailure(outcome)
