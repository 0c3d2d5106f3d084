"""The registry as a server in threads of this process; a context manager.

Listens on 127.0.0.1 and a free port. Closing it releases stalled answers and joins every thread.
"""

import json
import socket
import socketserver
import ssl
import struct
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from image.model.digest import Digest, sha256_digest
from image.model.media_types import (
    DOCKER_MANIFEST,
    DOCKER_SCHEMA1,
    DOCKER_SCHEMA1_SIGNED,
    OCI_INDEX,
    OCI_MANIFEST,
)
from image.tests.fakes.fake_registry.authentication import AuthMode, Gate
from image.tests.fakes.fake_registry.content import (
    PushedImage,
    PushedLayer,
    config_of,
    descriptor_of,
    json_bytes,
    manifest_of,
    schema1_of,
)
from image.tests.fakes.fake_registry.faults import Fault
from image.tests.fakes.fake_registry.routes import Answer, Routes

_STALL_LIMIT = 30.0  # seconds; a test that forgets to close still ends

_DRIP_PAUSE = 0.01


@dataclass(frozen=True, kw_only=True, slots=True)
class SeenRequest:
    """One request as it arrived."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str] = field(repr=False)
    """Names in lower case."""


class FakeRegistry:
    """A registry with its content, its faults and a record of what it was asked."""

    def __init__(
        self,
        *,
        auth: AuthMode = "none",
        username: str = "",
        password: str = "",
        identity_token: str = "",
        tls_certificate: Path | None = None,
    ) -> None:
        self._server = _Server(self, tls_certificate)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        scheme = "https" if tls_certificate else "http"
        self.host = f"127.0.0.1:{self._server.server_port}"
        """Host and port, for references."""
        self.url = f"{scheme}://{self.host}"
        """Base URL, for hosts.toml."""
        self.gate = Gate(
            mode=auth,
            username=username,
            password=password,
            identity_token=identity_token,
            realm=f"{self.url}/token",
        )
        self.routes = Routes(self.gate)
        self.requests: list[SeenRequest] = []
        """All requests in the order of their arrival."""
        self.violations: list[str] = []
        """What clients did against the specification; tests assert that it is empty."""
        self.released = threading.Event()
        self._faults: list[Fault] = []
        self._lock = threading.Condition()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.released.set()
        self._server.shutdown()
        self._thread.join()
        self._server.close_connections()
        self._server.server_close()

    def push_image(
        self,
        repository: str,
        tag: str,
        *,
        layers: Sequence[PushedLayer],
        config: bytes | None = None,
        docker: bool = False,
        config_type: str = "",
    ) -> PushedImage:
        """Store an image and give what was stored."""
        config = config_of(layers) if config is None else config
        manifest = manifest_of(config, layers, docker=docker, config_type=config_type)
        media_type = DOCKER_MANIFEST if docker else OCI_MANIFEST
        for content in (config, *(layer.blob for layer in layers)):
            self.push_blob(repository, content)
        return PushedImage(
            name=f"{self.host}/{repository}",
            digest=self.push_manifest(repository, tag, manifest, media_type),
            manifest=manifest,
            media_type=media_type,
            config=config,
            layers=tuple(layers),
        )

    def push_index(
        self,
        repository: str,
        tag: str,
        images: Sequence[tuple[PushedImage, Mapping[str, object]]],
        *,
        media_type: str = OCI_INDEX,
    ) -> bytes:
        """Store an index of images with their platforms and give its bytes."""
        entries = [
            descriptor_of(image.manifest, image.media_type, platform=platform)
            for image, platform in images
        ]
        index = json_bytes({"schemaVersion": 2, "mediaType": media_type, "manifests": entries})
        self.push_manifest(repository, tag, index, media_type)
        return index

    def push_schema1(
        self, repository: str, tag: str, *, layers: Sequence[PushedLayer], signed: bool = False
    ) -> tuple[bytes, Digest]:
        """Store an image of the old form; give its bytes and the digest of its payload."""
        raw, digest = schema1_of(layers, signed=signed)
        for layer in layers:
            self.push_blob(repository, layer.blob)
        media_type = DOCKER_SCHEMA1_SIGNED if signed else DOCKER_SCHEMA1
        held = self.routes.repository(repository).manifests
        held[tag] = held[digest] = (media_type, raw)
        return raw, digest

    def push_manifest(self, repository: str, tag: str, manifest: bytes, media_type: str) -> Digest:
        """Store any bytes as a manifest, by tag and by digest."""
        digest = sha256_digest(manifest)
        held = self.routes.repository(repository).manifests
        held[digest] = (media_type, manifest)
        if tag:
            held[tag] = (media_type, manifest)
        return digest

    def push_blob(self, repository: str, content: bytes) -> Digest:
        """Store a blob."""
        digest = sha256_digest(content)
        self.routes.repository(repository).blobs[digest] = content
        return digest

    def add_fault(self, fault: Fault) -> None:
        """Let something go wrong from the next matching request on."""
        with self._lock:
            self._faults.append(fault)

    def stop_listening(self) -> None:
        """Refuse connections from now on, as a machine does whose registry is down."""
        self._server.shutdown()
        self._server.socket.close()

    def seen(self, part: str) -> list[SeenRequest]:
        """Give the requests whose path contains `part`."""
        with self._lock:
            return [request for request in self.requests if part in request.path]

    def wait_seen(self, part: str) -> bool:
        """Wait in a thread until a request came whose path contains `part`."""
        with self._lock:
            return self._lock.wait_for(
                lambda: any(part in request.path for request in self.requests), _STALL_LIMIT
            )

    def note(self, request: SeenRequest) -> None:
        """Record a request and what is wrong with it."""
        with self._lock:
            self.requests.append(request)
            self._lock.notify_all()
            if request.headers.get("accept-encoding") != "identity":
                self.violations.append(f"{request.path}: content coding was not excluded")
            if request.headers.get("host") != self.host:
                self.violations.append(f"{request.path}: wrong Host {request.headers.get('host')}")
            if request.method == "GET" and "content-length" in request.headers:
                self.violations.append(f"{request.path}: a GET with a body")

    def take_fault(self, place: str, path: str) -> Fault | None:
        """Give the fault that this request meets, counted."""
        with self._lock:
            for position, fault in enumerate(self._faults):
                if not fault.hits(place, path):
                    continue
                if fault.times > 0:
                    self._spend(position, fault)
                return fault
        return None

    def _spend(self, position: int, fault: Fault) -> None:
        if fault.times == 1:
            del self._faults[position]
        else:
            values = {name: getattr(fault, name) for name in Fault.__dataclass_fields__}
            self._faults[position] = Fault(**{**values, "times": fault.times - 1})


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True

    def __init__(self, registry: FakeRegistry, certificate: Path | None) -> None:
        self.registry = registry
        self._context: ssl.SSLContext | None = None
        if certificate is not None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(certificate)
        self._open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", 0), _Handler)

    def server_bind(self) -> None:
        """Bind without HTTPServer's look-up of our own name, which may ask a name server."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        connection, address = super().get_request()
        if self._context is not None:
            # the handshake belongs to the handler's thread: a client that refuses us must not stop the server
            connection = self._context.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        self._open.add(connection)
        return connection, address

    def close_connections(self) -> None:
        """Wake handlers that wait for another request on a kept connection."""
        for connection in tuple(self._open):
            try:
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
            except OSError:
                continue

    def handle_error(self, request: object, client_address: object) -> None:
        """Stay silent: clients that hang up or refuse a certificate are what tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        registry = self.server.registry
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        registry.note(
            SeenRequest(method="GET", path=parts.path, query=parts.query, headers=headers)
        )
        if parts.path == "/token":
            answer = self._token(parts.query, "")
        else:
            answer = registry.routes.answer(parts.path, parts.query, headers)
        self._deliver(answer, registry.take_fault(answer.place, parts.path))

    def do_HEAD(self) -> None:
        registry = self.server.registry
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        registry.note(
            SeenRequest(method="HEAD", path=parts.path, query=parts.query, headers=headers)
        )
        answer = registry.routes.answer(parts.path, parts.query, headers)
        fault = registry.take_fault(f"head {answer.place}", parts.path)
        if fault is not None:
            answer = Answer(status=fault.status, headers=list(fault.headers))
        self._send(answer.status, answer.headers, b"", len(answer.body))

    def do_POST(self) -> None:
        registry = self.server.registry
        form = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
        headers = {name.lower(): value for name, value in self.headers.items()}
        registry.note(SeenRequest(method="POST", path=self.path, query=form, headers=headers))
        answer = self._token("", form)
        self._deliver(answer, registry.take_fault(answer.place, self.path))

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent; `requests` is the log."""

    def _token(self, query: str, form: str) -> Answer:
        gate = self.server.registry.gate
        authorization = self.headers.get("Authorization", "")
        status, document = gate.answer_token_request(query, form, authorization)
        kind = [("Content-Type", "application/json")]
        body = json.dumps(document).encode()
        return Answer(status=status, headers=kind, body=body, place="token")

    def _deliver(self, answer: Answer, fault: Fault | None) -> None:
        if fault is None:
            self._send(answer.status, answer.headers, answer.body)
            return
        match fault.kind:
            case "status":
                self._send(fault.status, list(fault.headers), fault.body)
            case "redirect":
                self._send(fault.status or 307, [("Location", fault.location)], b"")
            case "replace_body":
                self._send(answer.status, answer.headers, fault.body)
            case "wrong_bytes":
                self._send(answer.status, answer.headers, _flipped(answer.body, fault.at_byte))
            case "ignore_range":
                self._send(200, answer.headers[:1], answer.whole)
            case "wrong_range":
                self._send_late_range(answer)
            case "extra_bytes":
                self._send(answer.status, answer.headers, answer.body + b"x" * fault.at_byte, None)
                self.close_connection = True
            case "short_unannounced":
                part = answer.body[: fault.at_byte]
                self._send(answer.status, answer.headers, part, None)
                self.close_connection = True
            case "lying_length":
                length = len(answer.body) + fault.at_byte
                self._send(answer.status, answer.headers, answer.body, length)
                self.close_connection = True
            case "drip":
                self._drip(answer)
            case _:
                self._break_off(answer, fault)

    def _send_late_range(self, answer: Answer) -> None:
        size, first = len(answer.whole), len(answer.whole) - len(answer.body) + 1
        headers = [("Content-Range", f"bytes {first}-{size - 1}/{size}")]
        self._send(206, headers, answer.whole[first:])

    def _drip(self, answer: Answer) -> None:
        self._send(answer.status, answer.headers, b"", len(answer.body))
        for position in range(len(answer.body)):
            if self.server.registry.released.wait(_DRIP_PAUSE):
                break
            try:
                self.wfile.write(answer.body[position : position + 1])
                self.wfile.flush()
            except OSError:
                break  # the client has hung up, as it should
        self.close_connection = True

    def _break_off(self, answer: Answer, fault: Fault) -> None:
        """Send the head and the first bytes, then reset, close or stall."""
        self._send(answer.status, answer.headers, answer.body[: fault.at_byte], len(answer.body))
        self.wfile.flush()
        self.close_connection = True
        if fault.kind == "stall":
            self.server.registry.released.wait(_STALL_LIMIT)
        elif fault.kind == "reset":
            # SO_LINGER of 0 seconds makes close() send RST (socket(7)), if nothing sent FIN before
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            socket.close(self.connection.detach())

    def _send(
        self,
        status: int,
        headers: Sequence[tuple[str, str]],
        body: bytes,
        length: int | None = -1,
    ) -> None:
        """Write an answer; a length of None announces none, -1 the right one."""
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if length is not None:
            self.send_header("Content-Length", str(len(body) if length == -1 else length))
        else:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)


def _flipped(body: bytes, position: int) -> bytes:
    changed = bytearray(body)
    changed[position] ^= 0xFF
    return bytes(changed)
