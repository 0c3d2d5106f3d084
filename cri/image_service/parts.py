"""What the calls of the ImageService work with: the store, the puller, and the space that containers take.

Protocols and plain values; the daemon fills them in, tests use fakes.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from cri.api import api_pb2
from cri.translate.image import image_message
from cri.translate.message_cache import MessageCache
from image.model.records import FilesystemUsage, ImageRecord, RegistryAuth


class ImageStore(Protocol):
    """What is used of `image.store.image_store.ImageStore`."""

    def list_images(self) -> Sequence[ImageRecord]:
        """Return every image once, with all its names."""

    def find(self, text: str) -> ImageRecord | None:
        """Return the image of an id, id prefix, tag, digest or short name."""

    async def remove(self, text: str) -> None:
        """Remove an image; what is not there is success."""

    async def filesystem_usage(self) -> FilesystemUsage:
        """Return the space that images take."""


class ImagePuller(Protocol):
    """What is used of `image.pulls.puller.Puller`."""

    async def pull(
        self, reference_text: str, *, auth: RegistryAuth | None = None, platform: str = ""
    ) -> ImageRecord:
        """Pull an image; equal pulls at the same time become one."""


ContainerFilesystem = Callable[[], Awaitable[FilesystemUsage | None]]
"""Tells the space that writable layers take, None when it was not measured yet."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageParts:
    """Everything that the calls of the ImageService need."""

    store: ImageStore
    puller: ImagePuller
    container_filesystem: ContainerFilesystem
    handlers: frozenset[str]
    """Names of the runtime handlers; a pull for another one is refused."""
    messages: MessageCache[ImageRecord, api_pb2.Image] = field(
        default_factory=lambda: MessageCache(image_message)
    )
