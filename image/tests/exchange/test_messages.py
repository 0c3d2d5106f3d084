"""Tests of messages: what is written is read back, and secrets are not shown."""

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest

from image.errors import FailedPrecondition, Internal, ResourceExhausted
from image.exchange import messages
from image.exchange.messages import PullEvent, WorkerRequest
from image.model.digest import sha256_digest
from image.model.json_document import JsonObject, parse_json_object
from image.model.records import RegistryAuth
from image.protocol.transport_limits import TransportLimits
from image.store.layer_store import LayerSummary
from image.tests.store.image_making import commit_of, layer


def over_the_wire(message: Mapping[str, object]) -> JsonObject:
    return parse_json_object(json.dumps(message).encode(), subject="message", max_bytes=1 << 20)


def request(auth: RegistryAuth | None) -> WorkerRequest:
    return WorkerRequest(
        reference="r.test/app:1",
        platform="linux/amd64",
        auth=auth,
        staging="/s",
        registry_config_path="/c",
        proxy="http://user:S3CR3T@proxy",
        no_proxy="",
        require_schema2=True,
        max_concurrent_downloads=3,
        max_layer_bytes=4,
        max_layer_entries=5,
        max_path_depth=6,
        layer_kind="extract",
        limits=TransportLimits(connect=1.5, first_byte=2.5, window=3.5, min_rate=7),
    )


@pytest.mark.parametrize("auth", [None, RegistryAuth(username="u", password="S3CR3T")])
def test_request_is_read_back_and_shows_no_secret(auth: RegistryAuth | None) -> None:
    sent = replace(request(auth), partial="/p")
    assert messages.read_request(over_the_wire(sent.message())) == sent
    assert "S3CR3T" not in repr(sent)


def test_event_error_and_summary_are_read_back() -> None:
    event = PullEvent(status="Downloading", layer="abc", current=1, total=2)
    assert messages.read_event(over_the_wire(messages.event_message(event))) == event
    error = ResourceExhausted("x", "disk is full", remedy="r", reason="DiskFull", details=("d",))
    found = messages.read_error(over_the_wire(messages.error_message(error)))
    assert type(found) is ResourceExhausted
    assert str(found) == str(error)
    path = b"caf\xe9/\xff".decode("latin-1")
    parent = sha256_digest(b"below")
    summary = LayerSummary(kind="extract", parent=parent, opaque=("", path), used_bytes=5, inodes=6)
    assert messages.read_summary(over_the_wire(messages.summary_fields(summary))) == summary


def test_commit_is_read_back() -> None:
    commit = replace(commit_of("app:1", (layer("f"),)), source="https://m", config_source="c")
    commit = replace(commit, layers=(replace(commit.layers[0], source="https://o"),))
    message = over_the_wire(messages.commit_message(commit))
    assert messages.read_commit(message, commit.reference) == commit


def test_unknown_error_class_is_internal() -> None:
    message = {"class": "SystemExit", "subject": "", "cause": "", "remedy": "", "reason": ""}
    assert type(messages.read_error(over_the_wire(message))) is Internal


@pytest.mark.parametrize(
    "opaque", [["\u0100"], ["x"] * 50_001, "text"], ids=["no path", "too many", "no list"]
)
def test_impossible_summary_is_refused(opaque: object) -> None:
    message = {
        "layer_kind": "extract",
        "used_bytes": 1,
        "inodes": 1,
        "parent": "",
        "opaque": opaque,
    }
    with pytest.raises(FailedPrecondition):
        messages.read_summary(over_the_wire(message))


def test_bytes_that_are_no_base64_are_refused() -> None:
    with pytest.raises(FailedPrecondition):
        messages.decode_bytes(over_the_wire({"x": "!"}), "x")
