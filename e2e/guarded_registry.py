"""Debian's docker-registry behind TLS, with passwords or with tokens of a token server of our own.

Listens on loopback alone; everything it serves was pushed before the doors were closed. The certificate, the password
and the keys are made for the run and worth nothing outside it.
"""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from e2e.images.catalogue import NamedImage
from e2e.managed_process import ManagedProcess
from e2e.registry import Registry, free_port
from e2e.tool_paths import system_tool

USER, PASSWORD = "tester", "S3CR3T"
# bcrypt of PASSWORD, as `htpasswd -nbB` writes it: the only form that docker-registry reads
HTPASSWD = f"{USER}:$2b$05$abcdefghijklmnopqrstuuIs5jEpc/Ej6ZfbIynGtIMkBrePzhOui\n"
SERVICE = "lading-e2e"


def base64url(content: bytes) -> str:
    """Write bytes as JSON web tokens have them."""
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


class TokenServer(ThreadingHTTPServer):
    """Gives tokens to whoever knows the password; a certificate of the run signs them."""

    daemon_threads = True

    def __init__(self, certificate: Path) -> None:
        """Listen on a free loopback port."""
        super().__init__(("127.0.0.1", 0), TokenHandler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        pem = certificate.read_bytes()
        key = serialization.load_pem_private_key(pem, None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        self.key = key
        self.chain = x509.load_pem_x509_certificate(pem).public_bytes(serialization.Encoding.DER)
        self.url = f"https://127.0.0.1:{self.server_port}/token"
        self.asked: list[tuple[str, str]] = []
        """User and scope of each request; an anonymous one has no user."""

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that turns away is what some tests are about."""

    def token(self, user: str, scope: str) -> str:
        """Sign a token that allows the scope."""
        kind, name, actions = scope.split(":")
        header = {"typ": "JWT", "alg": "ES256", "x5c": [base64.b64encode(self.chain).decode()]}
        now = int(time.time())
        claims = {
            "iss": SERVICE,
            "aud": SERVICE,
            "sub": user,
            "exp": now + 300,
            "nbf": now - 10,
            "iat": now,
            "jti": str(len(self.asked)),
            "access": [{"type": kind, "name": name, "actions": actions.split(",")}],
        }
        parts = ".".join(base64url(json.dumps(each).encode()) for each in (header, claims))
        numbers = decode_dss_signature(self.key.sign(parts.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{parts}.{base64url(b''.join(number.to_bytes(32, 'big') for number in numbers))}"


class TokenHandler(BaseHTTPRequestHandler):
    """Answers GET /token."""

    server: TokenServer

    def do_GET(self) -> None:
        """Check the password and give a token, or 401."""
        asked = parse_qs(urlsplit(self.path).query)
        scope = asked.get("scope", [""])[0]
        pair = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        known = self.headers.get("Authorization") == f"Basic {pair}"
        self.server.asked.append((USER if known else "", scope))
        good = known and asked.get("service") == [SERVICE]
        document = {"token": self.server.token(USER, scope), "expires_in": 300} if good else {}
        body = json.dumps(document).encode()
        self.send_response(200 if good else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Stay quiet."""


@contextmanager
def token_server(certificate: Path) -> Iterator[TokenServer]:
    """Run a token server."""
    server = TokenServer(certificate)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def guarded_registry(
    folder: Path,
    rules: Path,
    images: Iterable[NamedImage],
    certificate: Path,
    tokens: TokenServer | None = None,
) -> Iterator[str]:
    """Run a registry with these images behind TLS and a guard; give its HOST:PORT, known to `rules`.

    Without a token server it wants passwords.
    """
    open_registry = Registry(folder)
    open_registry.process.start()
    open_registry.process.wait_ready(open_registry.answers)
    try:
        open_registry.push(images)
    finally:
        open_registry.stop()
    address = f"127.0.0.1:{free_port()}"
    (folder / "htpasswd").write_text(HTPASSWD)
    auth: dict[str, object] = {"htpasswd": {"realm": "e2e", "path": str(folder / "htpasswd")}}
    if tokens is not None:
        auth = {
            "token": {
                "realm": tokens.url,
                "service": SERVICE,
                "issuer": SERVICE,
                "rootcertbundle": str(certificate),
            }
        }
    configuration = {
        "version": 0.1,
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
        "http": {
            "addr": address,
            "secret": "only for this run",
            "tls": {"certificate": str(certificate), "key": str(certificate)},
        },
        "auth": auth,
    }
    path = folder / "guarded.yml"
    path.write_text(json.dumps(configuration))
    command = [str(system_tool("docker-registry")), "serve", str(path)]
    process = ManagedProcess("guarded-registry", command, folder / "guarded.log")
    place = rules / address
    place.mkdir()
    (place / "hosts.toml").write_text(
        f'server = "https://{address}"\nca = "{certificate}"\n'
        + (f'token_realms = ["{tokens.url}"]\n' if tokens else "")
    )
    process.start()
    try:
        process.wait_ready(lambda: answers(address, certificate))
        yield address
    finally:
        process.terminate(5.0)


def answers(address: str, certificate: Path) -> bool:
    """Tell whether the registry asks who is there."""
    context = ssl.create_default_context(cafile=certificate)
    connection = http.client.HTTPSConnection(address, timeout=2, context=context)
    try:
        connection.request("GET", "/v2/")
        return connection.getresponse().status == 401
    except OSError:
        return False
    finally:
        connection.close()
