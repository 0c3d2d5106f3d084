"""The sockets of the registry: connections, answers as they go out, and the faults that spoil them.

Serves what `Routes` answers, in a thread per connection; knows nothing of content.
"""

import json
import socket
import socketserver
import ssl
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from image.tests.fakes.fake_registry.faults import Fault
from image.tests.fakes.fake_registry.routes import Answer

if TYPE_CHECKING:
    from image.tests.fakes.fake_registry.server import FakeRegistry

STALL_LIMIT = 30.0  # seconds; a test that forgets to close still ends

_DRIP_PAUSE = 0.01


@dataclass(frozen=True, kw_only=True, slots=True)
class SeenRequest:
    """One request as it arrived."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str] = field(repr=False)
    """Names in lower case."""


class Server(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True

    def __init__(self, registry: "FakeRegistry", certificate: Path | None) -> None:
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
    server: Server

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
        if fault is not None and fault.kind in ("hang up", "silence"):
            self._say_nothing(fault)
            return
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
            case "add_headers":
                self._send(answer.status, [*answer.headers, *fault.headers], answer.body)
            case "chunked":
                self._send_chunked(answer)
            case "http_1_0":
                self.protocol_version = "HTTP/1.0"  # of this connection alone
                self._send(answer.status, answer.headers, answer.body, None)
                self.close_connection = True
            case "close_after":
                self._send(answer.status, answer.headers, answer.body)
                self.close_connection = True
            case "hang up" | "silence":
                self._say_nothing(fault)
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

    def _say_nothing(self, fault: Fault) -> None:
        self.close_connection = True
        if fault.kind == "silence":
            self.server.registry.released.wait(STALL_LIMIT)

    def _send_late_range(self, answer: Answer) -> None:
        size, first = len(answer.whole), len(answer.whole) - len(answer.body) + 1
        headers = [("Content-Range", f"bytes {first}-{size - 1}/{size}")]
        self._send(206, headers, answer.whole[first:])

    def _send_chunked(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in (*answer.headers, ("Transfer-Encoding", "chunked")):
            self.send_header(name, value)
        self.end_headers()
        for begin in range(0, len(answer.body), 1000):
            part = answer.body[begin : begin + 1000]
            self.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
        self.wfile.write(b"0\r\n\r\n")

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
            self.server.registry.released.wait(STALL_LIMIT)
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
