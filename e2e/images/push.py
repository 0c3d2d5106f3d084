"""Push images into a registry by its HTTP API (distribution spec 1.1), over plain http on loopback.

Uploads a blob once and mounts it into every other repository. Knows nothing of what is pushed.
"""

from __future__ import annotations

import http.client
from collections.abc import Iterable
from dataclasses import dataclass, field

from e2e.images.catalogue import NamedImage
from e2e.images.image import Document, PublishedImage


def repository_and_tag(reference: str) -> tuple[str, str]:
    """Split `host/repository:tag`; the host only chooses the mirror rule, so it is dropped."""
    path = reference.split("/", 1)[1]
    repository, _, tag = path.partition(":")
    return repository, tag or "latest"


@dataclass
class Pusher:
    """One connection to one registry, and what is already in it."""

    address: str
    homes: dict[str, str] = field(default_factory=dict)
    """Digest of each uploaded blob -> a repository that has it."""

    def __post_init__(self) -> None:
        """Open the connection lazily: http.client connects at the first request."""
        self.connection = http.client.HTTPConnection(self.address, timeout=60)

    def request(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> tuple[int, str]:
        """Send one request, return status and Location; an error answer raises with its text."""
        self.connection.request(method, path, body or None, headers or {})
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status >= 400:
            shown = text[:300].decode(errors="replace")
            raise RuntimeError(f"registry answered {answer.status} to {method} {path}: {shown}")
        return answer.status, answer.getheader("Location") or ""

    def push_blob(self, repository: str, digest: str, content: bytes) -> None:
        """Upload a blob, or mount it from the repository that already has it."""
        start = f"/v2/{repository}/blobs/uploads/"
        home = self.homes.get(digest)
        if home == repository:
            return
        if home is not None:
            status, location = self.request("POST", f"{start}?mount={digest}&from={home}")
            if status == 201:
                return
        else:
            _, location = self.request("POST", start)
        place = location.split(self.address, 1)[-1]
        self.request(
            "PUT",
            f"{place}{'&' if '?' in place else '?'}digest={digest}",
            content,
            {"Content-Type": "application/octet-stream"},
        )
        self.homes[digest] = repository

    def push_manifest(self, repository: str, name: str, document: Document) -> None:
        """Store a manifest or list under a tag or its digest."""
        headers = {"Content-Type": document.media_type}
        self.request("PUT", f"/v2/{repository}/manifests/{name}", document.content, headers)

    def push(self, references: Iterable[str], image: PublishedImage) -> None:
        """Store an image under every reference given."""
        for reference in references:
            repository, tag = repository_and_tag(reference)
            for digest, content in image.blobs.items():
                self.push_blob(repository, digest, content)
            for manifest in image.manifests:
                self.push_manifest(repository, manifest.digest, manifest)
            self.push_manifest(repository, tag, image.top)


def push_all(address: str, images: Iterable[NamedImage]) -> None:
    """Push every image to the registry at HOST:PORT."""
    pusher = Pusher(address)
    for named in images:
        pusher.push(named.references, named.image)
    pusher.connection.close()
