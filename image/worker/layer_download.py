"""One layer's bytes, taken up again where a broken transfer stopped.

Promise: bytes come in order and without gaps; after a break the rest is asked for from the byte reached. Gives up
after a few breaks without progress in between; what is not a broken transfer is told at once. The registry client
tries endpoints and verifies digests; this only keeps a long download alive.
"""

from collections.abc import AsyncIterator
from typing import Protocol

from image.errors import Unavailable
from image.model.descriptor import Descriptor
from image.registry.resolved_image import ResolvedImage

_ATTEMPTS = 5
"""As Docker's puller makes (heritage 1.16)."""


class Downloads(Protocol):
    """The part of the registry client that is needed."""

    def download(
        self, image: ResolvedImage, layer: Descriptor, *, offset: int = 0
    ) -> AsyncIterator[bytes]:
        """Stream a blob from a byte on."""


class ResumingDownload:
    """One blob."""

    def __init__(self, client: Downloads, image: ResolvedImage, layer: Descriptor) -> None:
        self._client = client
        self._image = image
        self._layer = layer

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield all bytes of the blob."""
        offset = failures = 0
        while True:
            try:
                async for chunk in self._client.download(self._image, self._layer, offset=offset):
                    offset += len(chunk)
                    failures = 0
                    yield chunk
            except Unavailable:
                failures += 1
                if failures >= _ATTEMPTS or offset == 0:
                    raise
            else:
                return
