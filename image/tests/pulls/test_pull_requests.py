"""Every task is asked with the same settings; only what an image is known by differs."""

from pathlib import Path

from image.model.reference import parse_reference
from image.pulls.neighbours import Neighbours
from image.pulls.pull_requests import PullKey, RequestMaker
from image.pulls.pull_settings import PullSettings
from image.store.image_store import ImageStore
from image.tests.store.image_making import add_image, layer


async def test_a_request_has_the_settings_and_the_digests_that_are_known(tmp_path: Path) -> None:
    store = await ImageStore.open(tmp_path)
    try:
        record = await add_image(store, "a.test/x:1", layer("f"))
        settings = PullSettings(registry_config_path="/certs", layer_store="extract")
        maker = RequestMaker(store=store, settings=settings, neighbours=Neighbours())
        key = PullKey(parse_reference("a.test/x:1"), "linux/arm64", None)
        request = maker.make(key, "/staging", known=record)
        assert (request.task, request.platform, request.staging) == (
            "pull",
            "linux/arm64",
            "/staging",
        )
        assert request.known == (record.repo_digests[0].partition("@")[2],)
        assert (request.registry_config_path, request.layer_kind) == ("/certs", "extract")
        archive = PullKey(parse_reference("a.test/x:1"), "", None, archive="/a", entry=3)
        imported = maker.make(archive, "")
        assert (imported.task, imported.archive, imported.entry) == ("import", "/a", 3)
        assert maker.make(archive, "", task="archive").task == "archive"
    finally:
        store.close()
