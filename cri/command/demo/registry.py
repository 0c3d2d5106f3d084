"""A registry for the demo on loopback: Debian's docker-registry if it is there, else a small one in this process.

The small one serves what it was given, read-only, by the distribution specification's pull endpoints; it is no registry
to keep images in.
"""

import http.client
import http.server
import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cri.command.demo.image import NAME, TAG, Blob, DemoImage

_START_SECONDS = 15.0


@contextmanager
def serving(image: DemoImage, directory: Path, *, builtin: bool) -> Iterator[tuple[str, str]]:
    """Serve the image; yields `127.0.0.1:PORT` and the registry's name for the report."""
    program = None if builtin else shutil.which("docker-registry")
    if program is None:
        with _builtin(image) as address:
            yield address, "built-in registry"
    else:
        with _docker_registry(program, directory) as address:
            _push(address, image)
            yield address, "docker-registry"


@contextmanager
def _builtin(image: DemoImage) -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler_for(image))
    thread = threading.Thread(target=server.serve_forever, name="demo-registry", daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler_for(image: DemoImage) -> type[http.server.BaseHTTPRequestHandler]:
    manifests = {blob.digest: blob for blob in (image.index, *image.manifests)} | {TAG: image.index}
    blobs = {blob.digest: blob for blob in image.blobs}

    class Handler(http.server.BaseHTTPRequestHandler):
        """Answers GET and HEAD of manifests and blobs (distribution-spec, pull)."""

        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            """Answer with the content."""
            self._answer(with_body=True)

        def do_HEAD(self) -> None:
            """Answer with the headers alone."""
            self._answer(with_body=False)

        def _answer(self, *, with_body: bool) -> None:
            blob = self._find()
            body = (
                blob.content if blob else json.dumps({"errors": [{"code": "NOT_FOUND"}]}).encode()
            )
            self.send_response(200 if blob else 404)
            self.send_header("Content-Type", blob.media_type if blob else "application/json")
            self.send_header("Content-Length", str(len(body)))
            if blob:
                self.send_header("Docker-Content-Digest", blob.digest)
            self.end_headers()
            if with_body:
                self.wfile.write(body)

        def _find(self) -> Blob | None:
            if self.path in {"/v2", "/v2/"}:
                return Blob(media_type="application/json", content=b"{}")
            for kind, known in (("manifests", manifests), ("blobs", blobs)):
                prefix = f"/v2/{NAME}/{kind}/"
                if self.path.startswith(prefix):
                    return known.get(self.path.removeprefix(prefix))
            return None

        def log_message(self, format: str, *arguments: object) -> None:
            """Keep the demo's output free of an access log."""

    return Handler


@contextmanager
def _docker_registry(program: str, directory: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    directory.mkdir(parents=True, exist_ok=True)
    settings = directory / "registry.yml"
    # YAML is a superset of JSON, so no YAML writer is needed.
    document = {
        "version": 0.1,
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(directory / "data")}},
        "http": {"addr": f"127.0.0.1:{port}"},
    }
    settings.write_text(json.dumps(document))
    process = subprocess.Popen(
        [program, "serve", str(settings)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_until_it_answers(port)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_it_answers(port: int) -> None:
    end = time.monotonic() + _START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError as error:
            if time.monotonic() > end:
                raise TimeoutError(
                    f"docker-registry did not answer on loopback within {_START_SECONDS:.0f} s"
                ) from error
            time.sleep(0.02)
        else:
            return


def _push(address: str, image: DemoImage) -> None:
    connection = http.client.HTTPConnection(address, timeout=30)
    try:
        for blob in image.blobs:
            location = _request(
                connection, "POST", f"/v2/{NAME}/blobs/uploads/", b"", "application/octet-stream"
            )
            joint = "&" if "?" in location else "?"
            path = location.split(address, 1)[-1]
            target = f"{path}{joint}digest={blob.digest}"
            _request(connection, "PUT", target, blob.content, "application/octet-stream")
        for manifest in image.manifests:
            _request(
                connection,
                "PUT",
                f"/v2/{NAME}/manifests/{manifest.digest}",
                manifest.content,
                manifest.media_type,
            )
        _request(
            connection,
            "PUT",
            f"/v2/{NAME}/manifests/{TAG}",
            image.index.content,
            image.index.media_type,
        )
    finally:
        connection.close()


def _request(
    connection: http.client.HTTPConnection, method: str, path: str, body: bytes, media_type: str
) -> str:
    connection.request(method, path, body=body, headers={"Content-Type": media_type})
    answer = connection.getresponse()
    answer.read()
    if answer.status not in {201, 202}:
        raise OSError(f"the registry answered {answer.status} to {method} {path}")
    return answer.headers.get("Location", "")
