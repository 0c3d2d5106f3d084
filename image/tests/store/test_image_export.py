"""An export is an OCI layout whose every blob has its digest."""

import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from image.errors import FailedPrecondition
from image.model.digest import digest_hex, parse_digest
from image.store.image_export import archive_pieces, plan_export
from image.store.image_store import ImageStore
from image.tests.store.image_making import add_image, layer

TARS = (layer("base", b"b" * 3000), layer("top", b"t"))


async def test_an_export_is_whole_and_verifies(tmp_path: Path) -> None:
    store = await ImageStore.open(tmp_path)
    try:
        record = await add_image(store, "a.test/x:1", *TARS)
        report = await store.report()
        config = await store.read_blob(record.id)
    finally:
        store.close()
    with pytest.raises(FailedPrecondition, match="were extracted"):
        plan_export(tmp_path, [(record, config, ("a.test/x:1",))], report)
    for one, tar in zip(record.layers, TARS, strict=True):
        place = tmp_path / "layers" / digest_hex(parse_digest(one.chain_id))
        (place / "tar").write_bytes(tar)
    kept = {
        chain: type(one)(kind="erofs", used_bytes=1, inodes=1)
        for chain, one in report.layers.items()
    }
    report = type(report)(layers=kept, uses={}, pulled_ns={}, blob_bytes={})
    plan = plan_export(tmp_path, [(record, config, ("a.test/x:1",))], report)
    pieces = list(archive_pieces(plan))
    assert all(pieces)
    with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as opened:
        members = {m.name: (opened.extractfile(m) or io.BytesIO()).read() for m in opened}
    blobs = {name: content for name, content in members.items() if name.startswith("blobs/")}
    assert len(blobs) == 4
    for name, content in blobs.items():
        assert hashlib.sha256(content).hexdigest() == name.rpartition("/")[2]
    (entry,) = json.loads(members["index.json"])["manifests"]
    assert entry["annotations"]["io.containerd.image.name"] == "a.test/x:1"
    assert parse_digest(entry["digest"])
