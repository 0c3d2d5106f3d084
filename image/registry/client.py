"""The registry client: what the rest of `image` may ask of a registry.

It resolves references, fetches configs and streams layers, over mirrors first and the origin last. It never stores
anything, and hands out no byte that it has not counted and hashed.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from types import TracebackType
from typing import Self

from image.model.descriptor import Descriptor
from image.model.platform import Platform
from image.model.records import RegistryAuth
from image.model.reference import Reference
from image.registry.resolved_image import ResolvedImage

__all__ = ["RegistryClient", "ResolvedImage"]


class RegistryClient:
    """One client per daemon or worker; its connections and tokens are shared by all pulls."""

    def __init__(
        self,
        *,
        registry_config_path: Path,
        proxy: str = "",
        no_proxy: str = "",
        user_agent: str = "lading",
    ) -> None:
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        raise NotImplementedError

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        raise NotImplementedError

    async def resolve(
        self,
        reference: Reference,
        *,
        platform: Platform,
        auth: RegistryAuth | None,
        require_schema2: bool = False,
    ) -> ResolvedImage:
        """Find the image that `reference` means on `platform`, and verify its manifest."""
        raise NotImplementedError

    async def fetch_config(self, image: ResolvedImage) -> bytes:
        """Fetch the config of `image`, verified."""
        raise NotImplementedError

    def download(
        self, image: ResolvedImage, layer: Descriptor, *, offset: int = 0
    ) -> AsyncIterator[bytes]:
        """Stream the blob of `layer` from `offset` on, verified."""
        raise NotImplementedError
