"""An archive is known while all its images are here under all their names."""

from dataclasses import replace
from pathlib import Path

import pytest

from image.model.image_config import ImageConfig
from image.model.records import ImageRecord
from image.store import known_archives
from image.store.known_archives import ImportedImage, KnownArchives

APP = ImportedImage(id="sha256:a", names=("a.test/app:1", "a.test/app:2"))
RECORD = ImageRecord(
    id="sha256:a",
    manifest_digest="m",
    repo_tags=APP.names,
    repo_digests=(),
    size_bytes=1,
    config=ImageConfig(architecture="", os=""),
    layers=(),
)


def archives(root: Path, here: dict[str, ImageRecord]) -> KnownArchives:
    return KnownArchives(root, here.get)


def test_an_archive_is_known_until_a_name_goes_or_moves(tmp_path: Path) -> None:
    here = dict.fromkeys(APP.names, RECORD)
    known = archives(tmp_path, here)
    assert known.images_of("f") == ()
    known.note("f", (APP,))
    assert archives(tmp_path, here).images_of("f") == (APP,)
    here["a.test/app:2"] = replace(RECORD, id="sha256:b")
    assert known.images_of("f") == ()
    del here["a.test/app:2"]
    assert known.images_of("f") == ()


def test_the_oldest_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_archives, "MAX_ARCHIVES", 2)
    known = archives(tmp_path, dict.fromkeys(APP.names, RECORD))
    for fingerprint in ("a", "b", "a", "c"):
        known.note(fingerprint, (APP,))
    assert [bool(known.images_of(one)) for one in "abc"] == [True, False, True]


@pytest.mark.parametrize(
    "content", [b"{", b'{"archives": [1]}', b"\xff"], ids=["cut", "form", "bytes"]
)
def test_a_damaged_file_means_that_nothing_is_known(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "archives.json").write_bytes(content)
    known = archives(tmp_path, dict.fromkeys(APP.names, RECORD))
    assert known.images_of("f") == ()
    known.note("f", (APP,))
    assert known.images_of("f") == (APP,)
