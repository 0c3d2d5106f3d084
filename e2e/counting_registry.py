"""A registry that counts what it sends: any number of images under one host name, ranges honoured, as slow as a test wants.

Answers by the last part of the path, whatever the repository; knows tags and digests. What a client asks for twice is
counted twice. Send buffers are small, so that bytes counted are bytes that arrived, or nearly.
"""

from __future__ import annotations

import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from e2e.images.image import PublishedImage
from e2e.registry import write_mirror_rules

PIECE = 64 * 1024
SEND_BUFFER = 64 * 1024
RANGE = re.compile(r"bytes=(\d+)-")


class CountingServer(ThreadingHTTPServer):
    """The server, with its content and its accounts."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, bytes_per_second: int = 0) -> None:
        """Listen on a free loopback port; 0 bytes per second: as fast as the client."""
        super().__init__(("127.0.0.1", 0), Handler)
        self.bytes_per_second = bytes_per_second
        self.documents: dict[str, tuple[str, bytes]] = {}
        self.sent: Counter[str] = Counter()
        """Bytes of blobs that went out, by digest."""
        self.asked: Counter[str] = Counter()
        """Requests, by method and last part of the path."""
        self._answering = 0
        self._changed = threading.Condition()
        self._next_at = 0.0

    @property
    def address(self) -> str:
        """HOST:PORT."""
        return f"127.0.0.1:{self.server_port}"

    def add(self, tag: str, image: PublishedImage) -> None:
        """Serve an image under a tag of every repository."""
        for digest, content in image.blobs.items():
            self.documents[digest] = ("application/octet-stream", content)
        for document in (*image.manifests, image.top):
            self.documents[document.digest] = (document.media_type, document.content)
        self.documents[tag] = self.documents[image.top.digest]

    def total_sent(self) -> int:
        """Return the bytes of blobs that went out until now."""
        with self._changed:
            return self.sent.total()

    def wait_sent(self, total: int, seconds: float) -> bool:
        """Wait until so many bytes went out in all."""
        with self._changed:
            return self._changed.wait_for(lambda: self.sent.total() >= total, seconds)

    def wait_accounts(self, seconds: float) -> bool:
        """Wait until no answer is under way: a client may have all bytes before the last of them are counted."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._answering, seconds)

    @contextmanager
    def answering(self, what: str) -> Iterator[None]:
        """Count a request, which is answered while the block runs."""
        with self._changed:
            self.asked[what] += 1
            self._answering += 1
        try:
            yield
        finally:
            with self._changed:
                self._answering -= 1
                self._changed.notify_all()

    def note_sent(self, digest: str, size: int) -> None:
        """Count bytes, and hold the sender back if they were too many for the time."""
        with self._changed:
            self.sent[digest] += size
            self._changed.notify_all()
            if not self.bytes_per_second:
                return
            self._next_at = max(self._next_at, time.monotonic()) + size / self.bytes_per_second
            pause = self._next_at - time.monotonic()
        time.sleep(max(0.0, pause))

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients are killed here; that is what the tests are about."""


class Handler(BaseHTTPRequestHandler):
    """Answers from the server's table."""

    protocol_version = "HTTP/1.1"
    server: CountingServer

    def setup(self) -> None:
        """Keep little in flight."""
        super().setup()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)

    def do_GET(self) -> None:
        """Send what has the name, from the byte that is asked for."""
        name = self.path.split("?", 1)[0].rstrip("/").rsplit("/", 1)[-1]
        with self.server.answering(f"{self.command} {name}"):
            self.answer(name)

    do_HEAD = do_GET

    def answer(self, name: str) -> None:
        """Send what has the name."""
        media_type, content = self.server.documents.get(name, ("application/json", b""))
        status = 200 if name in self.server.documents or name == "v2" else 404
        asked = RANGE.match(self.headers.get("Range", ""))
        first = int(asked[1]) if asked else 0
        size = len(content)
        if asked and status == 200:
            status = 206 if first < size else 416
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        if status == 206:
            self.send_header("Content-Range", f"bytes {first}-{size - 1}/{size}")
        self.send_header("Content-Length", str(size - first if status != 416 else 0))
        self.end_headers()
        if self.command == "GET" and status != 416:
            self.send_pieces(name, memoryview(content)[first:], counted="/blobs/" in self.path)

    def send_pieces(self, name: str, left: memoryview, *, counted: bool) -> None:
        """Send bytes in pieces, each counted when the socket has taken it."""
        while left:
            self.wfile.write(left[:PIECE])
            if counted:
                self.server.note_sent(name, len(left[:PIECE]))
            left = left[PIECE:]

    def log_message(self, format: str, *arguments: object) -> None:
        """Stay quiet."""


@contextmanager
def counting_registry(
    rules: Path, host: str, images: Mapping[str, PublishedImage], *, bytes_per_second: int = 0
) -> Iterator[CountingServer]:
    """Serve images by tag under a host name while the block runs."""
    server = CountingServer(bytes_per_second)
    for tag, image in images.items():
        server.add(tag, image)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    write_mirror_rules(rules, server.address, [host])
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
