"""Gives the lifecycle code root filesystems out of the image store: where `runtime` and `image` meet.

Meets `runtime.lifecycle.node.RootfsProvider`. Errors of the image package leave here as errors of the runtime package,
class by class, so that the lifecycle needs to know only its own.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import image.errors
import runtime.errors
from image.model.records import ImageRecord

_CLASSES: dict[type[image.errors.ImageError], type[runtime.errors.PodRuntimeError]] = {
    image.errors.InvalidArgument: runtime.errors.InvalidArgument,
    image.errors.NotFound: runtime.errors.NotFound,
    image.errors.PermissionDenied: runtime.errors.FailedPrecondition,
    image.errors.FailedPrecondition: runtime.errors.FailedPrecondition,
    image.errors.Unavailable: runtime.errors.Unavailable,
    image.errors.DeadlineExceeded: runtime.errors.DeadlineExceeded,
    image.errors.ResourceExhausted: runtime.errors.ResourceExhausted,
    image.errors.Unimplemented: runtime.errors.Unimplemented,
    image.errors.Internal: runtime.errors.Internal,
}


class LayerSource(Protocol):
    """What is used of `image.store.image_store.ImageStore`."""

    def find(self, text: str) -> ImageRecord | None:
        """Return the image of a name or id."""

    async def acquire(self, image_id: str, container_id: str) -> tuple[Path, ...]:
        """Return an image's layer directories and keep them for the container."""

    async def release(self, container_id: str) -> None:
        """Give back what the container kept."""


class StoreRootfs:
    """Root filesystems from an image store."""

    def __init__(self, store: LayerSource) -> None:
        self._store = store

    async def acquire(self, image_id: str, container_id: str) -> tuple[Path, ...]:
        """Return the layer directories of an image, by id or any name, topmost first.

        Raises:
            NotFound: the image is not on this node.
            PodRuntimeError: the store cannot give it.
        """
        with _as_runtime_errors():
            found = self._store.find(image_id)
            if found is None:
                raise runtime.errors.NotFound(
                    f"image {image_id[:200]}",
                    "is not on this node",
                    remedy="pull it first",
                    reason="ImageNotPresent",
                )
            return await self._store.acquire(found.id, container_id)

    async def release(self, container_id: str) -> None:
        """Give back what a container kept; idempotent."""
        with _as_runtime_errors():
            await self._store.release(container_id)


@contextmanager
def _as_runtime_errors() -> Iterator[None]:
    try:
        yield
    except image.errors.ImageError as error:
        kind = _CLASSES.get(type(error), runtime.errors.Internal)
        raise kind(
            error.subject,
            error.cause,
            remedy=error.remedy,
            reason=error.reason,
            details=error.details,
        ) from error
