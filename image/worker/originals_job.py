"""Fetches the layers of one image as they are into the staging directory, and makes nothing of them.

Promise: each file that is there when the job ends has its digest; a blob that was damaged on its way is fetched once
more from its first byte (pull rule 1.16).
"""

import asyncio
from pathlib import Path

from image.errors import FailedPrecondition
from image.exchange.staged_originals import blob_place
from image.model.descriptor import Descriptor
from image.registry.client import RegistryClient
from image.registry.download import RESTART_REASON
from image.registry.resolved_image import ResolvedImage
from image.worker.layer_pipeline import first_cause
from image.worker.pull_job import PullJob
from image.worker.registry_bytes import RegistryBytes


class OriginalsJob(PullJob):
    """One image; `run` it once. The request's `known` are blobs that are not wanted."""

    async def _pull(self, client: RegistryClient) -> None:
        image = await client.resolve(
            self._reference, platform=self._platform(), auth=self._request.auth
        )
        if image.schema1 is not None:
            raise FailedPrecondition(
                self._subject,
                "is an image of docker schema 1, which no archive can hold as it is",
                remedy="export it without --exact",
                reason="Schema1",
            )
        limit = asyncio.Semaphore(max(1, self._request.max_concurrent_downloads))
        wanted = {one.digest: one for one in image.layers if one.digest not in self._request.known}
        try:
            async with asyncio.TaskGroup() as group:
                for blob in wanted.values():
                    group.create_task(self._keep(client, image, blob, limit), name=blob.digest)
        except BaseExceptionGroup as failures:
            raise first_cause(failures) from failures
        self._door.tell({"kind": "unchanged", "digest": image.target_digest})

    async def _keep(
        self,
        client: RegistryClient,
        image: ResolvedImage,
        blob: Descriptor,
        limit: asyncio.Semaphore,
    ) -> None:
        async with limit:
            try:
                await self._keep_once(client, image, blob)
            except FailedPrecondition as error:
                if error.reason != RESTART_REASON:
                    raise
                await self._keep_once(client, image, blob)

    async def _keep_once(
        self, client: RegistryClient, image: ResolvedImage, blob: Descriptor
    ) -> None:
        path = blob_place(Path(self._request.staging), blob.digest)
        await self._save(RegistryBytes(self._door, client, image), blob, path)
