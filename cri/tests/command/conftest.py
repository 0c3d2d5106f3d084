"""A daemon that gives prepared answers on a real socket, and the command line in this process."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer

import pytest

from cri.command.command_line import run

Lines = list[dict[str, object]]


@dataclass
class CannedDaemon:
    """Answers by path, and what was asked."""

    address: str
    answers: dict[str, Lines | bytes] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, object]]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    def on(self, verb: str, *lines: dict[str, object], status: int = 200) -> None:
        """Prepare the answer of a verb."""
        self.answers[f"/v1/{verb}"] = list(lines)
        self.statuses[f"/v1/{verb}"] = status

    def refuse(self, verb: str, message: str, exit: int, *details: str) -> None:
        """Prepare a refusal."""
        fields = {"message": message, "exit": exit, "details": list(details)}
        self.on(verb, {"schema": "lading.error/v1", **fields}, status=409)


class _Server(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True
    canned: CannedDaemon


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self._body())

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))
        whole = b""
        while size := int(self.rfile.readline(), 16):
            whole += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return whole

    def _answer(self, body: bytes) -> None:
        canned = self.server.canned
        path = self.path.partition("?")[0]
        canned.bodies.append(body)
        is_json = body.startswith(b"{") and "?" not in self.path
        canned.asked.append((self.path.removeprefix("/v1/"), json.loads(body) if is_json else {}))
        found = canned.answers.get(
            path, [{"schema": "lading.error/v1", "message": path, "exit": 1}]
        )
        self.send_response(canned.statuses.get(path, 200 if path in canned.answers else 404))
        self.end_headers()
        if isinstance(found, bytes):
            self.wfile.write(found)
        else:
            self.wfile.write(b"".join(json.dumps(line).encode() + b"\n" for line in found))

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CannedDaemon]:
    path = tmp_path / "admin.sock"
    with _Server(str(path), _Handler) as server:
        server.canned = CannedDaemon(f"unix://{path}")
        monkeypatch.setenv("LADING_ADMIN", server.canned.address)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.canned
        server.shutdown()
        thread.join()


@dataclass
class Said:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


class CommandLine:
    """Runs commands and keeps what they say apart."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *words: str) -> Said:
        code = run(words)
        captured = self._capsys.readouterr()
        return Said(int(code), captured.out, captured.err)


@pytest.fixture
def lading(capsys: pytest.CaptureFixture[str]) -> CommandLine:
    return CommandLine(capsys)
