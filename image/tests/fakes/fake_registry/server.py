"""The registry as a server in threads of this process; a context manager.

Listens on 127.0.0.1 and a free port. Closing it releases stalled answers and joins every thread.
"""

import socket
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

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
from image.tests.fakes.fake_registry.routes import Routes
from image.tests.fakes.fake_registry.serving import STALL_LIMIT, SeenRequest, Server


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
        self._server = Server(self, tls_certificate)
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
        # Held without listening, so that no other server gets the port meanwhile.
        held = socket.socket()
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", self._server.server_port))
        self._server.socket = held

    def seen(self, part: str) -> list[SeenRequest]:
        """Give the requests whose path contains `part`."""
        with self._lock:
            return [request for request in self.requests if part in request.path]

    def wait_seen(self, part: str) -> bool:
        """Wait in a thread until a request came whose path contains `part`."""
        with self._lock:
            return self._lock.wait_for(
                lambda: any(part in request.path for request in self.requests), STALL_LIMIT
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
