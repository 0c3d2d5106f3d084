"""Answers of the registry: the pull half of the distribution-spec over content in memory, without any socket."""

import json
import re
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlencode

from image.model.digest import Digest, sha256_digest
from image.model.media_types import DOCKER_SCHEMA1_SIGNED, OCI_INDEX
from image.model.schema1 import canonical_payload
from image.tests.fakes.fake_registry.authentication import Gate, error_json

_NAME = r"[a-z0-9]+(?:(?:\.|_|__|-+|/)[a-z0-9]+)*"
_MANIFEST = re.compile(rf"/v2/({_NAME})/manifests/([\w.:-]+)")
_BLOB = re.compile(rf"/v2/({_NAME})/blobs/(sha(?:256:[0-9a-f]{{64}}|512:[0-9a-f]{{128}}))")
_TAGS = re.compile(rf"/v2/({_NAME})/tags/list")
_REFERRERS = re.compile(rf"/v2/({_NAME})/referrers/(sha(?:256:[0-9a-f]{{64}}|512:[0-9a-f]{{128}}))")
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


@dataclass(kw_only=True)
class Answer:
    """One response before faults are applied."""

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    place: str = ""
    """`blob`, `manifest`, `token` or `tags`: what faults are for."""
    whole: bytes = b""
    """The blob, when the body is a part of it."""


@dataclass(kw_only=True)
class Repository:
    """Content of one repository."""

    manifests: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    """Tag or digest -> (media type, bytes)."""
    blobs: dict[str, bytes] = field(default_factory=dict)


class Routes:
    """Content and access rules, asked by path."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.repositories: dict[str, Repository] = {}
        self.page_size = 0
        """Tags per page; 0 for all on one."""
        self.has_referrers = False
        """Whether the API of distribution-spec 1.1 is there."""

    def repository(self, name: str) -> Repository:
        """Give the repository, made when it is new."""
        return self.repositories.setdefault(name, Repository())

    def answer(self, path: str, query: str, headers: dict[str, str]) -> Answer:
        """Answer a GET below /v2/."""
        for pattern, make in (
            (_MANIFEST, self._manifest),
            (_BLOB, self._blob),
            (_TAGS, self._tags),
            (_REFERRERS, self._referrers),
        ):
            found = pattern.fullmatch(path)
            if found is None or (pattern is _REFERRERS and not self.has_referrers):
                continue
            scope = f"repository:{found[1]}:pull"
            if not self.gate.admits(headers.get("authorization", ""), scope):
                return self._refusal(scope, place=make.__name__.strip("_"))
            return make(found, query, headers)
        return Answer(status=404, body=error_json("NAME_INVALID", "no such route"))

    def _refusal(self, scope: str, *, place: str) -> Answer:
        return Answer(
            status=401,
            headers=[("WWW-Authenticate", self.gate.challenge_for(scope))],
            body=error_json("UNAUTHORIZED", "authentication required"),
            place=f"refused {place}",
        )

    def _manifest(self, found: re.Match[str], _query: str, headers: dict[str, str]) -> Answer:
        held = self.repository(found[1]).manifests.get(found[2])
        accepted = headers.get("accept", "")
        if held is None or (held[0] not in accepted and "*/*" not in accepted):
            body = error_json("MANIFEST_UNKNOWN", "manifest unknown")
            return Answer(status=404, body=body, place="manifest")
        return Answer(
            status=200,
            headers=[("Content-Type", held[0]), ("Docker-Content-Digest", self._digest_of(*held))],
            body=held[1],
            place="manifest",
        )

    @staticmethod
    def _digest_of(media_type: str, content: bytes) -> Digest:
        if media_type == DOCKER_SCHEMA1_SIGNED:
            return sha256_digest(canonical_payload(content, subject="pushed"))
        return sha256_digest(content)

    def _blob(self, found: re.Match[str], _query: str, headers: dict[str, str]) -> Answer:
        blob = self.repository(found[1]).blobs.get(found[2])
        if blob is None:
            return Answer(status=404, body=error_json("BLOB_UNKNOWN", "blob unknown"), place="blob")
        kind = [("Content-Type", "application/octet-stream")]
        wanted = _RANGE.fullmatch(headers.get("range", ""))
        if wanted is None:
            return Answer(status=200, headers=kind, body=blob, place="blob", whole=blob)
        first = int(wanted[1])
        if first >= len(blob):
            kind.append(("Content-Range", f"bytes */{len(blob)}"))
            return Answer(status=416, headers=kind, place="blob", whole=blob)
        last = min(int(wanted[2] or len(blob) - 1), len(blob) - 1)
        kind.append(("Content-Range", f"bytes {first}-{last}/{len(blob)}"))
        part = blob[first : last + 1]
        return Answer(status=206, headers=kind, body=part, place="blob", whole=blob)

    def _referrers(self, found: re.Match[str], query: str, _headers: dict[str, str]) -> Answer:
        """List manifests whose `subject` is the digest, one per page when pages are wanted."""
        entries: list[dict[str, object]] = []
        for name, (media_type, raw) in sorted(self.repository(found[1]).manifests.items()):
            document = json.loads(raw)
            if ":" in name and document.get("subject", {}).get("digest") == found[2]:
                entry = {"mediaType": media_type, "digest": name, "size": len(raw)}
                entry["artifactType"] = document.get("artifactType", "")
                entries.append(entry | {"annotations": document.get("annotations", {})})
        first = int(parse_qs(query).get("from", ["0"])[0])
        last = first + self.page_size if self.page_size else len(entries)
        headers = [("Content-Type", OCI_INDEX)]
        if last < len(entries):
            headers.append(
                ("Link", f'</v2/{found[1]}/referrers/{found[2]}?from={last}>; rel="next"')
            )
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries[first:last]}
        body = json.dumps(index).encode()
        return Answer(status=200, headers=headers, body=body, place="referrers")

    def _tags(self, found: re.Match[str], query: str, _headers: dict[str, str]) -> Answer:
        repository = self.repository(found[1])
        tags = sorted(tag for tag in repository.manifests if ":" not in tag)
        after = parse_qs(query).get("last", [""])[0]
        rest = [tag for tag in tags if tag > after]
        page = rest[: self.page_size] if self.page_size else rest
        headers = [("Content-Type", "application/json")]
        if len(page) < len(rest):
            more = urlencode({"n": self.page_size, "last": page[-1]})
            headers.append(("Link", f'</v2/{found[1]}/tags/list?{more}>; rel="next"'))
        body = json.dumps({"name": found[1], "tags": page}).encode()
        return Answer(status=200, headers=headers, body=body, place="tags")
