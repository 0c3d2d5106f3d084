"""A registry that lies: it serves an image with one chosen fault, on a loopback port, under a host name
of its own (by a mirror rule).

Speaks just enough of the distribution API for a pull; never serves anything but the one image.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from e2e.images.image import Document, PublishedImage
from e2e.registry import write_mirror_rules

HOST = "lies.invalid"
REFERENCE = f"{HOST}/test/image:1"

FAULTS = (
    "layer cut off",
    "layer of other bytes",
    "config of other bytes",
    "manifest of other bytes",
    "list is html",
    "list of another type",
    "size too small",
    "size gigantic",
    "digest climbs",
    "nested for ever",
    "always 500",
    "always 429",
    "redirect circle",
    "endless list",
    "not json",
)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the registry sends for a path; `claimed` is a Content-Length that may be a lie."""

    body: bytes
    media_type: str = "application/octet-stream"
    status: int = 200
    claimed: int | None = None
    location: str = ""
    endless: bool = False


def honest_answers(image: PublishedImage) -> dict[str, Answer]:
    """Return the answers of an honest registry by the last part of the path."""
    answers = {digest: Answer(body=content) for digest, content in image.blobs.items()}
    for document in (*image.manifests, image.top):
        answers[document.digest] = Answer(body=document.content, media_type=document.media_type)
    return answers | {"1": answers[image.top.digest]}


def edited(document: Document, **changes: object) -> bytes:
    """Return a list whose entries say something else."""
    content = json.loads(document.content)
    for entry in content["manifests"]:
        entry.update(changes)
    return json.dumps(content).encode()


def with_fault(image: PublishedImage, fault: str) -> dict[str, Answer]:
    """Return the answers of a registry with one fault."""
    answers = honest_answers(image)
    top, real = image.top, image.manifests[-1]
    manifest = json.loads(real.content)
    layer, config = manifest["layers"][0]["digest"], manifest["config"]["digest"]
    whole = image.blobs[layer]
    of_top = {
        "list is html": Answer(body=b"<html>please log in</html>", media_type="text/html"),
        "list of another type": Answer(body=top.content, media_type=real.media_type),
        "size too small": Answer(body=edited(top, size=10), media_type=top.media_type),
        "size gigantic": Answer(body=edited(top, size=2**62), media_type=top.media_type),
        "digest climbs": Answer(
            body=edited(top, digest="sha256:../../../../etc/passwd"), media_type=top.media_type
        ),
        "nested for ever": Answer(body=b"[" * 100_000, media_type=top.media_type),
        "always 500": Answer(body=b"{}", status=500),
        "always 429": Answer(body=b"{}", status=429),
        "redirect circle": Answer(body=b"", status=307, location="/v2/test/image/manifests/1"),
        "endless list": Answer(body=b" " * 65536, media_type=top.media_type, endless=True),
        "not json": Answer(body=b'{"schemaVersion": 2,', media_type=top.media_type),
    }
    of_blob = {
        "layer cut off": {layer: Answer(body=whole[: len(whole) // 2], claimed=len(whole))},
        "layer of other bytes": {layer: Answer(body=bytes(len(whole)))},
        "config of other bytes": {config: Answer(body=image.blobs[config].replace(b"a", b"e"))},
        "manifest of other bytes": {
            real.digest: Answer(
                body=real.content + b" ",
                media_type=real.media_type,
            )
        },
    }
    if fault in of_top:
        return answers | {"1": of_top[fault]}
    return answers | of_blob[fault]


class Handler(BaseHTTPRequestHandler):
    """Answers from the server's table."""

    protocol_version = "HTTP/1.1"
    server: LyingServer

    def do_GET(self) -> None:
        """Send the table's answer for the last part of the path."""
        path = self.path.split("?", 1)[0].rstrip("/")
        answer = self.server.answers.get(path.rsplit("/", 1)[-1])
        if path == "/v2":
            answer = Answer(body=b"{}")
        if answer is None:
            answer = Answer(body=b'{"errors":[{"code":"NOT_FOUND"}]}', status=404)
        self.send(answer)

    do_HEAD = do_GET

    def send(self, answer: Answer) -> None:
        """Send one answer, honest about nothing but what it was told to be."""
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.media_type)
        if answer.location:
            self.send_header("Location", answer.location)
        if not answer.endless:
            length = len(answer.body) if answer.claimed is None else answer.claimed
            self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command == "HEAD":
            return
        self.wfile.write(answer.body)
        until = time.monotonic() + 60
        while answer.endless and time.monotonic() < until:
            self.wfile.write(answer.body)
        if answer.endless or answer.claimed is not None:
            self.close_connection = True

    def log_message(self, format: str, *arguments: object) -> None:
        """Stay quiet."""


class LyingServer(ThreadingHTTPServer):
    """The server, with its table."""

    daemon_threads = True

    def __init__(self, answers: dict[str, Answer]) -> None:
        """Listen on a free loopback port."""
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers = answers

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that turns away from a liar is right."""


@contextmanager
def lying_registry(rules: Path, answers: dict[str, Answer]) -> Iterator[LyingServer]:
    """Serve the answers under REFERENCE's host while the block runs."""
    server = LyingServer(answers)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    write_mirror_rules(rules, f"127.0.0.1:{server.server_port}", [HOST])
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
