"""Every reader of foreign bytes answers damage with the error that it documents, and soon; none crashes or hangs."""

import asyncio
import base64
import json
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import pytest

from image.errors import FailedPrecondition, ImageError, InvalidArgument
from image.exchange.channel import Channel
from image.exchange.messages import (
    PullEvent,
    commit_message,
    error_message,
    event_message,
    read_commit,
    read_error,
    read_event,
    read_layer,
    read_request,
    read_summary,
)
from image.model.digest import sha256_digest
from image.model.image_config import parse_image_config
from image.model.json_document import JsonObject, parse_json_object
from image.model.manifest import parse_manifest
from image.model.media_types import DOCKER_SCHEMA1_SIGNED, OCI_INDEX, OCI_MANIFEST
from image.model.platform import parse_platform
from image.model.records import RegistryAuth
from image.model.reference import parse_bare_name, parse_reference
from image.policy.policy_file import parse_policy
from image.policy.signature_payload import payload_fault
from image.protocol.auth_challenge import parse_challenges
from image.protocol.content_range import judge_range_answer, parse_content_range
from image.protocol.docker_config import parse_docker_config
from image.protocol.error_body import describe_errors, parse_error_body
from image.protocol.foreign_urls import foreign_endpoints
from image.protocol.hosts_file import parse_hosts_file
from image.protocol.link_header import next_page
from image.protocol.mirror_rules import endpoints_for
from image.protocol.redirect_rules import check_redirect
from image.protocol.url_origin import origin_of, redact_text, redact_url
from image.store.pax_records import extended_attributes, parse_records
from image.store.tar_headers import TarError, parse_header
from image.tests.exchange.test_messages import request
from image.tests.fakes.fake_registry import config_of, layer_of
from image.tests.fakes.fake_registry.content import manifest_of, schema1_of
from image.tests.mutations import damaged
from image.tests.policy.signing import payload_of
from image.tests.store.image_making import commit_of
from image.tests.store.tar_making import header

TIMES = 250
SECONDS = 30.0
"""For all damaged copies of one document together; they take under one on an idle machine."""
LAYERS = [layer_of({"f": b"1"}), layer_of({"g": b"2"})]
CONFIG = config_of(LAYERS, execution={"Env": ["A=b"], "Labels": {"a": "b"}, "User": "1:2"})
MANIFEST = manifest_of(CONFIG, LAYERS)
DIGEST = sha256_digest(MANIFEST)
ENTRY = {
    "mediaType": OCI_MANIFEST,
    "digest": DIGEST,
    "size": len(MANIFEST),
    "platform": {"os": "linux", "architecture": "arm", "variant": "v7"},
    "urls": ["https://a.test/b"],
    "annotations": {"a": "b"},
}
INDEX = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [ENTRY]}).encode()
HOSTS = b"""server = "https://registry.test"
ca = ["a.pem", "/b.pem"]
[host."https://mirror.test/v2/x"]
capabilities = ["pull", "resolve"]
skip_verify = true
override_path = true
client = [["a.crt", "a.key"]]
dial_timeout = "5s"
send_credentials = true
token_realms = ["https://auth.test/token"]
credential_helper = "pass"
[host."https://mirror.test/v2/x".header]
x-a = ["b", "c"]
[host."https://mirror.test/v2/x".rewrite]
"^library/(.*)" = "hub/$1"
"""
POLICY = b"""default = "reject"
[[rule]]
prefix = "registry.test/team"
require = "signed"
keys = ["key.pub"]
[[rule]]
prefix = "*.free.test"
require = "accept"
"""
DOCKER = json.dumps(
    {
        "auths": {"https://a.test/v1/": {"auth": base64.b64encode(b"u:p").decode()}, "b.test": {}},
        "credHelpers": {"c.test": "pass"},
        "credsStore": "desktop",
    }
).encode()
CHALLENGE = (
    b'Bearer realm="https://a.test/token",service="s",scope="repository:a/b:pull", Basic realm="x"'
)
COMMIT = commit_of("a.test/x:1", (b"1", b"2"))
ERROR = ImageError("subject", "cause", remedy="remedy", reason="Reason", details=("a", "b"))
SUMMARY = {
    "opaque": ["a", "b/c"],
    "used_bytes": 1,
    "inodes": 2,
    "layer_kind": "erofs",
    "parent": DIGEST,
}


def read_text(read: Callable[[str], object]) -> Callable[[bytes], object]:
    """Read what came as bytes of a header or a file."""
    return lambda raw: read(raw.decode("utf-8", "replace"))


def read_fields(read: Callable[[JsonObject], object]) -> Callable[[bytes], object]:
    """Read a message between daemon and worker."""
    return lambda raw: read(parse_json_object(raw, subject="message", max_bytes=1 << 20))


def hosts(text: str) -> object:
    """Read hosts.toml, and ask what it means."""
    rules = parse_hosts_file(text, path="hosts.toml")
    return endpoints_for(parse_reference("registry.test/a/b:1"), rules)


def docker_config(raw: bytes) -> object:
    """Read config.json, and look for a host."""
    return parse_docker_config(raw, path="config.json").find("a.test", "x/y")


def challenges(text: str) -> object:
    """Read a header of several challenges."""
    return parse_challenges([text, text])


def pax(raw: bytes) -> object:
    """Read extended headers."""
    return extended_attributes(parse_records(raw))


@dataclass(frozen=True)
class Case:
    """A reader, what it reads, and what it may answer."""

    read: Callable[[bytes], object]
    sample: bytes
    allowed: tuple[type[Exception], ...] = (ImageError,)


def manifest_reader(media_type: str) -> Callable[[bytes], object]:
    """Read a manifest that was served as some type."""
    return lambda raw: parse_manifest(raw, media_type, subject="x")


CASES = {
    "manifest": Case(manifest_reader(OCI_MANIFEST), MANIFEST, (FailedPrecondition,)),
    "index": Case(manifest_reader(OCI_INDEX), INDEX, (FailedPrecondition,)),
    "manifest of no type": Case(manifest_reader(""), MANIFEST, (FailedPrecondition,)),
    "schema 1": Case(
        manifest_reader(DOCKER_SCHEMA1_SIGNED),
        schema1_of(LAYERS, signed=True)[0],
        (FailedPrecondition,),
    ),
    "config": Case(parse_image_config, CONFIG, (FailedPrecondition,)),
    "reference": Case(
        read_text(parse_reference), f"a.test:5000/b/c:d@{DIGEST}".encode(), (InvalidArgument,)
    ),
    "bare name": Case(read_text(parse_bare_name), b"a.test:5000/b/c", (InvalidArgument,)),
    "platform": Case(read_text(parse_platform), b"linux/arm64/v8", (InvalidArgument,)),
    "hosts.toml": Case(read_text(hosts), HOSTS, (InvalidArgument,)),
    "policy": Case(
        read_text(lambda text: parse_policy(text, path="p")), POLICY, (InvalidArgument,)
    ),
    "docker config": Case(docker_config, DOCKER, (InvalidArgument, FailedPrecondition)),
    "challenges": Case(read_text(challenges), CHALLENGE, (FailedPrecondition,)),
    "cosign payload": Case(
        lambda raw: payload_fault(raw, digest=DIGEST, reference=parse_reference("a.test/x:1")),
        payload_of(DIGEST, "a.test/x"),
        (),
    ),
    "error body": Case(
        lambda raw: describe_errors(parse_error_body(raw)),
        b'{"errors": [{"code": "DENIED", "message": "no", "detail": {"a": [1]}}]}',
        (),
    ),
    "content range": Case(read_text(parse_content_range), b"bytes 5-99/100", ()),
    "range answer": Case(
        read_text(lambda text: judge_range_answer(206, text, offset=5, size=100)),
        b"bytes 5-99/100",
        (ImageError,),
    ),
    "link": Case(
        read_text(lambda text: next_page(text, current="https://a.test/v2/x/tags/list")),
        b'</v2/x/tags/list?n=5&last=b>; rel="next"',
        (FailedPrecondition,),
    ),
    "redirect": Case(
        read_text(lambda text: check_redirect(text, source=origin_of("https://a.test"))),
        b"https://storage.test:8443/a?signature=b",
        (ImageError,),
    ),
    "foreign urls": Case(
        read_text(lambda text: foreign_endpoints([text, text])), b"https://a.test/layer", ()
    ),
    "shown url": Case(read_text(redact_url), b"https://u:p@a.test:1/b?c=d#e", ()),
    "shown text": Case(read_text(redact_text), b"see https://u:p@a.test:1/b?c=d for more", ()),
    "pax records": Case(
        pax, b"16 path=a/b/c/d\n25 SCHILY.xattr.user.a=x\n" * 2, (TarError, ValueError)
    ),
    "tar header": Case(
        lambda raw: parse_header(raw.ljust(512, b"\0")[:512]), header(b"name"), (TarError,)
    ),
    "request": Case(
        read_fields(read_request),
        json.dumps(request(RegistryAuth(username="u", password="p")).message()).encode(),
        (ImageError,),
    ),
    "event": Case(
        read_fields(read_event),
        json.dumps(event_message(PullEvent(status="a", layer="b", current=1, total=2))).encode(),
    ),
    "error": Case(read_fields(read_error), json.dumps(error_message(ERROR)).encode()),
    "summary": Case(read_fields(read_summary), json.dumps(SUMMARY).encode()),
    "layer": Case(read_fields(read_layer), json.dumps(asdict(COMMIT.layers[0])).encode()),
    "commit": Case(
        read_fields(lambda message: read_commit(message, COMMIT.reference)),
        json.dumps(commit_message(COMMIT)).encode(),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_damaged_document_is_refused_or_read_but_never_breaks_its_reader(name: str) -> None:
    case = CASES[name]
    case.read(case.sample)
    begin = time.process_time()
    for content in damaged(case.sample, TIMES):
        try:
            case.read(content)
        except case.allowed:
            continue
    assert time.process_time() - begin < SECONDS


@pytest.mark.parametrize(
    "name", [name for name, case in CASES.items() if len(case.sample) > 20], ids=str
)
def test_long_repetitions_are_read_in_linear_time(name: str) -> None:
    case = CASES[name]
    begin = time.process_time()
    for piece in (b"[", b'{"a":', b'"', b"a,", b"=", b'a="', b"/", b":", b"\\", b" ", b"9", b"[["):
        many = piece * 20_000
        for content in (
            many,
            case.sample + many,
            case.sample[:20] + many,
            b"a = " + many,
            b'{"a": ' + many,
        ):
            try:
                case.read(content)
            except case.allowed:
                continue
    assert time.process_time() - begin < SECONDS


async def test_damaged_frames_end_the_conversation_as_nonsense_or_as_its_end() -> None:
    body = json.dumps(commit_message(COMMIT)).encode()
    frame = struct.pack(">I", len(body)) + body
    for content in damaged(frame * 2, 150):
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        channel = await Channel.open(ours)
        theirs.sendall(content)
        theirs.close()
        try:
            async with asyncio.timeout(SECONDS):
                while await channel.receive() is not None:
                    continue
        except FailedPrecondition:
            pass
        finally:
            await channel.close()
