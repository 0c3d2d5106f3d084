"""Images become root filesystems, and failures of the store become failures of the runtime."""

from pathlib import Path

import pytest

import image.errors
import runtime.errors
from cri.rootfs_provider import StoreRootfs
from cri.tests.sample_records import IMAGE_ID, TAG, image_record
from image.model.records import ImageRecord


class Store:
    def __init__(self, error: image.errors.ImageError | None = None) -> None:
        self.error = error
        self.held: dict[str, str] = {}

    def find(self, text: str) -> ImageRecord | None:
        return image_record() if text in (IMAGE_ID, TAG) else None

    async def acquire(self, image_id: str, container_id: str) -> tuple[Path, ...]:
        if self.error is not None:
            raise self.error
        self.held[container_id] = image_id
        return (Path("/layer"),)

    async def release(self, container_id: str) -> None:
        if self.error is not None:
            raise self.error
        self.held.pop(container_id, None)


@pytest.mark.parametrize("text", [IMAGE_ID, TAG])
async def test_layers_are_kept_by_id_whatever_the_image_was_called(text: str) -> None:
    store = Store()
    assert await StoreRootfs(store).acquire(text, "c") == (Path("/layer"),)
    assert store.held == {"c": IMAGE_ID}
    await StoreRootfs(store).release("c")
    assert store.held == {}


async def test_an_image_that_is_not_here_is_not_found() -> None:
    with pytest.raises(runtime.errors.NotFound, match="pull it first"):
        await StoreRootfs(Store()).acquire("none", "c")


@pytest.mark.parametrize("kind", image.errors.ImageError.__subclasses__())
async def test_every_failure_of_the_store_has_its_class(
    kind: type[image.errors.ImageError],
) -> None:
    error = kind("layer", "is bad", remedy="mend", reason="Bad", details=("x",))
    provider = StoreRootfs(Store(error))
    with pytest.raises(runtime.errors.PodRuntimeError) as told:
        await provider.acquire(TAG, "c")
    same = kind.__name__ if kind.__name__ != "PermissionDenied" else "FailedPrecondition"
    assert type(told.value).__name__ == same
    assert str(told.value) == str(error)
    with pytest.raises(runtime.errors.PodRuntimeError):
        await provider.release("c")
