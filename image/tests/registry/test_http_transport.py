"""What the transport does about certificates, names, proxies, silence and slowness."""

import asyncio
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from image.protocol.endpoint_outcome import EndpointFailure, FailureKind, Outcome
from image.protocol.hosts_file import DEFAULT_TLS, TlsRules
from image.protocol.proxy_rules import ProxyRules
from image.protocol.transport_limits import TransportLimits
from image.registry.http_transport import HttpTransport, Request
from image.tests.fakes.fake_registry import FakeRegistry, Fault
from image.tests.fakes.fake_registry.certificates import make_certificate

USUAL = TransportLimits(connect=20.0, first_byte=20.0, window=20.0)


def transport(
    *, limits: TransportLimits = USUAL, proxy: str = "", no_proxy: str = ""
) -> HttpTransport:
    rules = ProxyRules(proxy=proxy, no_proxy=no_proxy)
    return HttpTransport(proxy=rules, user_agent="lading-test", limits=limits)


async def get(
    url: str, *, tls: TlsRules = DEFAULT_TLS, using: HttpTransport | None = None
) -> tuple[int, bytes | None]:
    async with using or transport() as door:
        async with door.request(Request(url=url, shown="it", tls=tls)) as response:
            return response.status, await response.read_capped(1 << 20)


async def fail(
    url: str, *, tls: TlsRules = DEFAULT_TLS, using: HttpTransport | None = None
) -> Outcome:
    with pytest.raises(EndpointFailure) as caught:
        await get(url, tls=tls, using=using)
    return caught.value.outcome


@contextmanager
def closed_port() -> Iterator[int]:
    """Give a port on which nobody listens, and on which nobody else can begin to."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


async def test_trusted_certificate_is_accepted(tmp_path: Path) -> None:
    file = make_certificate(tmp_path)
    with FakeRegistry(tls_certificate=file) as registry:
        registry.push_blob("a", b"x")
        status, _ = await get(f"{registry.url}/v2/", tls=TlsRules(ca=(str(file),)))
        assert status == 404
        status, _ = await get(f"{registry.url}/v2/", tls=TlsRules(skip_verify=True))
        assert status == 404
        assert registry.requests[0].headers["user-agent"] == "lading-test"


async def test_security_c2_unknown_certificate_is_refused_and_nothing_is_sent(
    tmp_path: Path,
) -> None:
    with FakeRegistry(tls_certificate=make_certificate(tmp_path)) as registry:
        outcome = await fail(f"{registry.url}/v2/")
        assert outcome.kind is FailureKind.UNTRUSTED
        assert "certificate" in outcome.text
        assert registry.requests == []


async def test_security_c2_http_on_the_https_port_is_refused() -> None:
    with FakeRegistry() as registry:
        outcome = await fail(f"https://{registry.host}/v2/")
        assert outcome.kind is FailureKind.UNTRUSTED
        assert registry.requests == []


async def test_security_c2_exception_for_one_origin_ends_at_a_redirect(tmp_path: Path) -> None:
    file = make_certificate(tmp_path)
    with (
        FakeRegistry(tls_certificate=file) as registry,
        FakeRegistry(tls_certificate=file) as store,
    ):
        registry.add_fault(Fault(kind="redirect", location=f"{store.url}/v2/", times=-1))
        url = f"{registry.url}/v2/a/blobs/sha256:{'0' * 64}"
        outcome = await fail(url, tls=TlsRules(skip_verify=True))
        assert outcome.kind is FailureKind.UNTRUSTED
        assert outcome.endpoint == f"it -> {store.url}"
        status, _ = await get(url, tls=TlsRules(skip_verify=True, ca=(str(file),)))
        assert status == 404


async def test_security_c2_redirect_to_plain_http_is_refused(tmp_path: Path) -> None:
    file = make_certificate(tmp_path)
    with FakeRegistry(tls_certificate=file) as registry, FakeRegistry() as store:
        registry.add_fault(Fault(kind="redirect", location=f"{store.url}/v2/"))
        url = f"{registry.url}/v2/a/blobs/sha256:{'0' * 64}"
        outcome = await fail(url, tls=TlsRules(ca=(str(file),)))
        assert outcome.kind is FailureKind.REFUSED
        assert "would leave https" in outcome.text
        assert store.requests == []


async def test_redirect_without_a_place_is_an_answer() -> None:
    with FakeRegistry() as registry:
        registry.add_fault(Fault(kind="status", status=302))
        status, _ = await get(f"{registry.url}/v2/a/blobs/sha256:{'0' * 64}")
        assert status == 302


async def test_form_is_never_sent_on_by_a_redirect() -> None:
    with FakeRegistry(auth="bearer") as registry:
        registry.add_fault(Fault(kind="redirect", on="token", location=f"{registry.url}/x"))
        form = (("refresh_token", "S3CR3T"),)
        request = Request(url=f"{registry.url}/token", shown="it", form=form)
        async with transport() as door, door.request(request) as response:
            assert response.status == 307
        assert len(registry.requests) == 1
        assert "S3CR3T" not in repr(request)


async def test_server_that_never_answers_spends_the_budget_of_the_first_byte() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        outcome = await fail(
            f"http://127.0.0.1:{silent.getsockname()[1]}/",
            using=transport(limits=TransportLimits(connect=20.0, first_byte=0.1)),
        )
    assert outcome.text == "connected, but no answer for 0.1 s"
    assert outcome.kind is FailureKind.UNREACHABLE
    assert "first_byte_timeout_seconds" in outcome.remedy


async def test_request_that_is_worth_less_patience_spends_only_that() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        request = Request(url=url, shown="it", answer_timeout=0.1)
        async with transport(limits=TransportLimits(first_byte=60.0)) as door:
            with pytest.raises(EndpointFailure) as caught:
                async with door.request(request):
                    pass
    assert caught.value.outcome.text == "connected, but no answer for 0.1 s"


async def test_handshake_that_hangs_spends_the_budget_of_connecting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        outcome = await fail(
            f"https://127.0.0.1:{silent.getsockname()[1]}/",
            using=transport(limits=TransportLimits(connect=0.1, first_byte=20.0)),
        )
    assert outcome.text == "no connection within 0.1 s"
    assert "connect_timeout_seconds" in outcome.remedy


async def test_name_server_that_hangs_spends_the_budget_of_the_host(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def hang(*_args: object, **_options: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", hang)
    request = Request(url="http://registry.test/", shown="it", dial_timeout=0.1)
    async with transport() as door:
        with pytest.raises(EndpointFailure, match=r"no connection within 0\.1 s"):
            async with door.request(request):
                pass


async def test_body_that_stops_is_given_up() -> None:
    with FakeRegistry() as registry:
        digest = registry.push_blob("a", b"x" * 1000)
        registry.add_fault(Fault(kind="stall", at_byte=10))
        limits = TransportLimits(window=0.2)
        outcome = await fail(f"{registry.url}/v2/a/blobs/{digest}", using=transport(limits=limits))
    assert "no byte arrived for 0.2 s" in outcome.text
    assert "min_bytes_per_second" in outcome.remedy


async def test_body_that_drips_is_given_up() -> None:
    limits = TransportLimits(window=0.3, min_rate=10_000_000)
    with FakeRegistry() as registry:
        digest = registry.push_blob("a", b"x" * (1 << 22))
        registry.add_fault(Fault(kind="drip"))
        outcome = await fail(f"{registry.url}/v2/a/blobs/{digest}", using=transport(limits=limits))
    words = r"sent \d+ bytes in 0\.3 s, less than 10000000 bytes/s|no byte arrived"
    assert re.fullmatch(words, outcome.text)
    assert "min_bytes_per_second" in outcome.remedy


async def test_cap_ends_the_reading() -> None:
    with FakeRegistry() as registry:
        digest = registry.push_blob("a", b"x" * 1000)
        request = Request(url=f"{registry.url}/v2/a/blobs/{digest}", shown="it")
        async with transport() as door, door.request(request) as response:
            assert response.origin.port == int(registry.host.partition(":")[2])
            assert await response.read_capped(999) is None


async def test_proxy_is_used_where_it_is_wanted() -> None:
    with FakeRegistry() as proxy:
        target = "http://registry.test/v2/"
        status, _ = await get(target, using=transport(proxy=proxy.url))
        assert status == 404
        assert proxy.requests[0].headers["host"] == "registry.test"


async def test_security_c3_unusable_proxy_is_told_without_its_password() -> None:
    with closed_port() as port:
        proxy = f"http://u:S3CR3T@127.0.0.1:{port}"
        outcome = await fail("http://registry.test/v2/", using=transport(proxy=proxy))
    assert outcome.text == f"the proxy http://127.0.0.1:{port} cannot be reached"


async def test_proxy_that_is_no_url_is_told_without_its_password() -> None:
    outcome = await fail("http://registry.test/", using=transport(proxy="http://u:S3CR3T@:x"))
    assert outcome.text == "the proxy is no usable http or https URL"


async def test_proxy_that_refuses_is_told_with_its_answer() -> None:
    with FakeRegistry() as proxy:
        secret = proxy.url.replace("://", "://u:S3CR3T@")
        outcome = await fail("https://registry.test/v2/", using=transport(proxy=secret))
    assert outcome.text == f"the proxy {proxy.url} refused with status 501"


async def test_proxy_of_a_host_is_used_even_where_the_node_wants_none() -> None:
    with FakeRegistry() as registry, FakeRegistry() as proxy, FakeRegistry() as other:
        request = Request(url=f"{registry.url}/v2/", shown="it", proxy=proxy.url)
        async with transport(proxy=other.url, no_proxy="*") as door:
            async with door.request(request) as response:
                assert response.status == 404
        assert [seen.headers["host"] for seen in proxy.requests] == [registry.host]
        assert (registry.requests, other.requests) == ([], [])


async def test_refused_connection_is_told() -> None:
    with closed_port() as port:
        outcome = await fail(f"http://127.0.0.1:{port}/")
    assert outcome.text.startswith("cannot connect: ")


@pytest.mark.parametrize(
    ("answer", "words"),
    [(b"", "closed the connection without an answer"), (b"nonsense\r\n\r\n", "no usable answer")],
)
async def test_answer_that_is_no_http_is_told(answer: bytes, words: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        outcome = await fail(f"http://127.0.0.1:{port}/")
    assert words in outcome.text


async def test_name_that_does_not_exist_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async def unknown(*_args: object, **_options: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", unknown)
    outcome = await fail("http://registry.test/")
    assert outcome.text == "the name cannot be resolved"


async def test_closing_twice_is_harmless() -> None:
    door = transport()
    async with door:
        pass
    await door.__aexit__(None, None, None)
