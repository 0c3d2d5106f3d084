"""Pulls know of each other what saves work, and no more than can be true."""

import time
from dataclasses import replace

from image.model.digest import sha256_digest
from image.model.image_config import ImageConfig
from image.model.records import ImageRecord, LayerRecord
from image.protocol.circuit_breaker import MAX_CIRCUITS, Circuit
from image.pulls.neighbours import Neighbours

BLOB, OTHER = sha256_digest(b"blob"), sha256_digest(b"other")
LAYER = LayerRecord(digest=BLOB, diff_id="d", chain_id="c", size_bytes=1)
IMAGE = ImageRecord(
    id="i",
    manifest_digest="m",
    repo_tags=(),
    repo_digests=("r.test/team/app@x",),
    size_bytes=1,
    config=ImageConfig(architecture="", os=""),
    layers=(LAYER, replace(LAYER, digest="never asked")),
)


def test_blob_of_a_stored_image_is_known_with_its_diff_id() -> None:
    neighbours = Neighbours(images=lambda: (IMAGE,))
    assert neighbours.known_layers([BLOB, OTHER]) == {BLOB: LAYER}


def test_dead_endpoints_are_remembered_until_they_answer() -> None:
    neighbours = Neighbours()
    until = time.monotonic() + 10.0
    neighbours.note_circuit("u", 2, until)
    assert neighbours.circuits() == (("u", Circuit(failures=2, open_until=until)),)
    neighbours.note_circuit("u", 0, 0.0)
    assert neighbours.circuits() == ()


def test_memory_of_endpoints_is_bounded() -> None:
    neighbours = Neighbours()
    for number in range(MAX_CIRCUITS + 1):
        neighbours.note_circuit(str(number), 1, 0.0)
    assert len(neighbours.circuits()) == 1


class Counts:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, ...]] = []

    def registry_answered(self, host: str, answer: str) -> None:
        self.told.append((host, answer))

    def request_retried(self, reason: str) -> None:
        self.told.append((reason,))


def test_requests_are_counted_and_nonsense_is_not() -> None:
    counts = Counts()
    for neighbours in (Neighbours(), Neighbours(observer=counts)):
        neighbours.note_request("r.test", "2xx")
        neighbours.note_request("r.test", "2yz")
        neighbours.note_request("r" * 300, "2xx")
        neighbours.note_retry("throttled")
        neighbours.note_retry("t" * 100)
    assert counts.told == [("r.test", "2xx"), ("throttled",)]
