"""Schema 1 is read from what was hashed, and turned into a config that is the same everywhere."""

import base64
import json
from collections.abc import Sequence

import pytest

from image.errors import FailedPrecondition
from image.model.digest import sha256_digest
from image.model.image_config import parse_image_config
from image.model.schema1 import (
    MAX_SCHEMA1_LAYERS,
    Schema1Manifest,
    canonical_payload,
    read_schema1,
    schema1_config,
)

BASE, MIDDLE, TOP = "1" * 64, "2" * 64, "3" * 64


def entry(name: str, parent: str = "", **more: object) -> dict[str, object]:
    return {"id": name} | ({"parent": parent} if parent else {}) | more


USUAL = (
    entry(TOP, MIDDLE, config={"Env": ["A=1"], "Cmd": ["/bin/é"]}, created="2015", Size=5),
    entry(MIDDLE, BASE, throwaway=True, container_config={"Cmd": ["/bin/sh", "-c", "#(nop)"]}),
    entry(BASE, author="me", comment="first", os="linux", architecture="amd64"),
)


def document(entries: Sequence[dict[str, object]] = USUAL, **more: object) -> dict[str, object]:
    """Make a manifest whose blobs are named after their position, top first."""
    return {
        "schemaVersion": 1,
        "fsLayers": [{"blobSum": sha256_digest(str(n).encode())} for n in range(len(entries))],
        "history": [{"v1Compatibility": json.dumps(each)} for each in entries],
    } | more


def read(content: dict[str, object]) -> Schema1Manifest:
    return read_schema1(json.dumps(content).encode(), "application/x", subject="it")


def signed(payload: bytes, *, cut: int = 1, header: dict[str, object] | None = None) -> bytes:
    """Add a signature as libtrust does: inside the object, with what stood there before in its header."""
    tail = base64.urlsafe_b64encode(payload[-cut:]).decode().rstrip("=")
    fields = {"formatLength": len(payload) - cut, "formatTail": tail} | (header or {})
    protected = base64.urlsafe_b64encode(json.dumps(fields).encode()).decode().rstrip("=")
    return payload[:-cut] + b',"signatures":[{"protected":"%s"}]}' % protected.encode()


def test_layers_come_bottom_first_without_throwaway_ones() -> None:
    found = read(document())
    assert found.layers == (sha256_digest(b"2"), sha256_digest(b"0"))
    assert [each.text("id") for each in found.history] == [BASE, MIDDLE, TOP]


def test_system_is_looked_for_in_the_whole_history() -> None:
    assert read(document()).os == "linux"
    assert read(document([entry(BASE)])).os == ""


def test_consecutive_repeats_are_one_entry() -> None:
    found = read(document([entry(TOP, BASE), entry(TOP, BASE), entry(BASE), entry(BASE)]))
    assert found.layers == (sha256_digest(b"3"), sha256_digest(b"1"))


def test_config_is_made_of_top_entry_history_and_diff_ids() -> None:
    manifest = read(document())
    raw = schema1_config(manifest, ["sha256:" + "a" * 64, "sha256:" + "b" * 64])
    config = parse_image_config(raw)
    assert config.env == ("A=1",)
    assert config.diff_ids == ("sha256:" + "a" * 64, "sha256:" + "b" * 64)
    assert json.loads(raw)["history"] == [
        {"author": "me", "comment": "first"},
        {"created_by": "/bin/sh -c #(nop)", "empty_layer": True},
        {"created": "2015"},
    ]
    assert not {"id", "parent", "Size", "throwaway"} & set(json.loads(raw))
    assert raw == schema1_config(manifest, ["sha256:" + "a" * 64, "sha256:" + "b" * 64])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (document(schemaVersion=2), "schemaVersion"),
        (document(fsLayers=[]), "0 layers and 3 history"),
        (document([]), "has 0 layers"),
        (document([entry(BASE)] * (MAX_SCHEMA1_LAYERS + 1)), "501 layers"),
        (document([entry("A" * 64)]), "impossible id"),
        (document([entry("../" + "a" * 61)]), "impossible id"),
        (document([entry(BASE, TOP)]), "expected none, got 333"),
        (document([entry(TOP), entry(BASE)]), "expected 111.*got none"),
        (document([entry(BASE, TOP), entry(TOP, BASE), entry(BASE)]), "appears multiple times"),
        (document(history=[{}] * 3), "v1Compatibility"),
        (document(fsLayers=[{"blobSum": "md5:1"}] * 3), "is not sha256"),
    ],
)
def test_broken_manifest_is_refused(content: dict[str, object], words: str) -> None:
    with pytest.raises(FailedPrecondition, match=words):
        read(content)


@pytest.mark.parametrize("cut", [1, 2])
def test_payload_is_what_was_signed(cut: int) -> None:
    payload = json.dumps(document(), indent=3).encode()
    assert canonical_payload(signed(payload, cut=cut), subject="it") == payload
    assert canonical_payload(payload, subject="it") == payload


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ({"formatLength": 10**6}, "impossible formatLength"),
        ({"formatLength": -1}, "impossible formatLength"),
        ({"formatTail": "!"}, "not base64url"),
    ],
)
def test_signature_without_a_payload_is_refused(header: dict[str, object], words: str) -> None:
    raw = signed(json.dumps(document()).encode(), header=header)
    with pytest.raises(FailedPrecondition, match=words):
        canonical_payload(raw, subject="it")


def test_signatures_of_different_payloads_are_refused() -> None:
    one = json.loads(signed(json.dumps(document()).encode()))
    two = json.loads(signed(json.dumps(document(name="x")).encode()))
    one["signatures"] += two["signatures"]
    with pytest.raises(FailedPrecondition, match="2 payloads"):
        canonical_payload(json.dumps(one).encode(), subject="it")
