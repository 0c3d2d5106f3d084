"""Tests of one layer's way: which failure is told, and that nothing hangs."""

import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from image.errors import FailedPrecondition, ImageError, ResourceExhausted, Unavailable
from image.exchange.messages import PullEvent
from image.model.digest import Digest, sha256_digest
from image.store.layer_tree import LayerTree
from image.store.unpack_tar import UnpackLimits
from image.tests.store.image_making import layer
from image.worker.layer_pipeline import LayerPipeline
from image.worker.progress import LayerProgress

TAR = layer("f", b"x" * 100_000)
DIFF_ID = sha256_digest(TAR)


class Site:
    def __init__(self, path: Path, *, overlaps: bool) -> None:
        self.path = path
        self.overlaps = overlaps
        self.events: list[PullEvent] = []

    async def run(
        self,
        blob: bytes,
        *,
        diff_id: Digest = DIFF_ID,
        max_bytes: int = 1 << 30,
        error: ImageError | None = None,
    ) -> None:
        tree = LayerTree(self.path / "layer", UnpackLimits())
        progress = LayerProgress("abc", len(blob), self.events.append)
        try:
            await LayerPipeline(
                "app, layer x", tree, diff_id, max_bytes, progress, overlaps=self.overlaps
            ).run(_download(blob, error))
        finally:
            tree.close()


async def _download(blob: bytes, error: ImageError | None) -> AsyncIterator[bytes]:
    for start in range(0, len(blob), 1000):
        yield blob[start : start + 1000]
    if error is not None:
        raise error


@pytest.fixture(params=[True, False], ids=["two threads", "one thread"])
def site(tmp_path: Path, request: pytest.FixtureRequest) -> Site:
    return Site(tmp_path, overlaps=bool(request.param))


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
async def test_layer_is_filled_and_progress_told(site: Site, pack: type[bytes]) -> None:
    await site.run(pack(TAR))
    assert (site.path / "layer/root/f").read_bytes() == b"x" * 100_000
    assert "Download complete" in [event.status for event in site.events]


async def test_other_content_than_the_config_names_is_refused(site: Site) -> None:
    with pytest.raises(FailedPrecondition, match="don't match image configuration"):
        await site.run(TAR, diff_id=sha256_digest(b"other"))


async def test_bytes_after_the_archive_count(site: Site) -> None:
    longer = TAR + b"trailing" * 1000
    await site.run(longer, diff_id=sha256_digest(longer))


@pytest.mark.parametrize(
    "blob",
    [b"no tar" * 200, gzip.compress(TAR)[:50], b"\x1f\x8bxxxxxxxxx"],
    ids=["no tar", "cut gzip", "broken gzip"],
)
async def test_content_that_is_no_layer_is_refused(site: Site, blob: bytes) -> None:
    with pytest.raises(FailedPrecondition):
        await site.run(blob, diff_id=sha256_digest(blob))


async def test_too_many_bytes_are_refused(site: Site) -> None:
    with pytest.raises(ResourceExhausted, match="larger than 5000"):
        await site.run(gzip.compress(TAR), max_bytes=5000)


async def test_download_has_the_last_word_on_bad_content(site: Site) -> None:
    verdict = FailedPrecondition("blob", "wrong digest", reason="DigestMismatchRestart")
    with pytest.raises(FailedPrecondition, match="wrong digest"):
        await site.run(b"changed on the way" * 5000, error=verdict)


async def test_broken_download_is_told(site: Site) -> None:
    with pytest.raises(Unavailable, match="gone"):
        await site.run(TAR[:5000], error=Unavailable("registry", "gone"))


async def test_disk_error_is_told(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: LayerTree, source: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(LayerTree, "fill", fail)
    with pytest.raises(OSError, match="No space"):
        await site.run(TAR * 100, diff_id=sha256_digest(TAR * 100))
