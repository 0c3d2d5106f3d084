"""One pull inside the worker: resolve, judge, fetch the config and the layers that are missing, hand the image over.

Promise: nothing is fetched of an image that the policy refuses; the image is handed over once, when all its layers are
published. What the daemon knows already is not fetched again: an unchanged tag costs one HEAD request, a config or
layer that is here costs nothing.
"""

import asyncio
import contextlib
import platform as host
from collections.abc import AsyncGenerator, Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from pathlib import Path

from image.errors import ImageError
from image.exchange.channel import Channel
from image.exchange.messages import (
    PullEvent,
    WorkerRequest,
    commit_message,
    decode_bytes,
    event_message,
    read_layer,
)
from image.model.descriptor import Descriptor
from image.model.digest import Digest
from image.model.image_config import ImageConfig, parse_image_config
from image.model.json_document import JsonObject
from image.model.platform import Platform, host_platform, parse_platform
from image.model.records import LayerRecord
from image.model.reference import parse_reference
from image.model.validate import (
    check_image_consistent,
    check_manifest_usable,
    check_os_compatible,
)
from image.policy.image_check import check_image
from image.policy.policy_file import Policy, Requirement
from image.policy.signature_payload import SignedPayload
from image.registry.client import RegistryClient
from image.registry.cosign_signatures import fetch_referring_signatures, fetch_signatures
from image.registry.resolved_image import ResolvedImage
from image.store.image_commit import ImageCommit
from image.store.layer_claims import ClaimState
from image.worker.blob_transfers import BlobTransfers
from image.worker.client_making import make_client
from image.worker.daemon_door import DaemonDoor
from image.worker.gathering import Gathered
from image.worker.layer_making import Fetch, LayerMaking, plan_layers
from image.worker.layer_pipeline import first_cause
from image.worker.registry_bytes import RegistryBytes
from image.worker.schema1_blobs import NOTICE, Schema1Blobs, save_stream


class PullJob:
    """One pull; `run` it once."""

    def __init__(self, channel: Channel, request: WorkerRequest, gathered: Gathered) -> None:
        self._gathered = gathered
        self._request = request
        self._reference = parse_reference(request.reference)
        self._subject = str(self._reference)
        self._door = DaemonDoor(channel, self._subject)
        self._blobs = Schema1Blobs(Path(request.staging), request.max_layer_bytes)

    async def run(self) -> None:
        """Pull the image and hand it over.

        Raises:
            ImageError: why it could not be pulled.
            OSError: the disk is full or broken.
        """
        try:
            async with asyncio.TaskGroup() as group:
                listening = group.create_task(self._door.listen(), name="answers")
                async with self._source() as client:
                    await self._pull(client)
                await self._door.wait_told()
                listening.cancel()
        except BaseExceptionGroup as failures:
            raise first_cause(failures) from failures

    def _source(self) -> RegistryClient:
        """Return where the image comes from, not opened."""
        return make_client(self._request, self._door, self._gathered.node)

    async def _pull(self, client: RegistryClient) -> None:
        self._say(f"Pulling from {self._reference.path}")
        policy = self._gathered.policy
        if await self._is_unchanged(client, policy):
            return
        image = await client.resolve(
            self._reference,
            platform=self._platform(),
            auth=self._request.auth,
            require_schema2=self._request.require_schema2,
        )
        self._say(f"Serving from {image.endpoint_url}")
        check_manifest_usable(image.manifest, subject=self._subject)
        await self._judge(client, policy, image)
        if image.schema1 is None:
            await self._pull_image(client, image)
        else:
            await self._pull_old(client, image)

    async def _is_unchanged(self, client: RegistryClient, policy: Policy) -> bool:
        """Ask by HEAD whether the tag still means what is here; a signature wants the long way (pull rule 1.3)."""
        accepted = policy.rule_for(self._reference).require is Requirement.ACCEPT
        if not self._reference.tag or not self._request.known or not accepted:
            return False
        digest = await client.current_digest(self._reference, auth=self._request.auth)
        if digest is None or digest not in self._request.known:
            return False
        self._say(f"Digest: {digest}")
        self._say(f"Status: Image is up to date for {self._subject}")
        self._door.tell({"kind": "unchanged", "digest": digest})
        return True

    async def _judge(self, client: RegistryClient, policy: Policy, image: ResolvedImage) -> None:
        auth = self._request.auth

        async def tagged(digest: Digest) -> tuple[SignedPayload, ...]:
            return await fetch_signatures(client, self._reference, digest, auth=auth)

        async def referring(digest: Digest) -> tuple[SignedPayload, ...]:
            return await fetch_referring_signatures(client, self._reference, digest, auth=auth)

        digests = (image.manifest_digest, image.target_digest)
        keys = self._gathered.keys
        await check_image(policy, self._reference, digests, tagged, referring, keys=keys)

    async def _pull_image(self, client: RegistryClient, image: ResolvedImage) -> None:
        """Fetch config and layers side by side; the config's failure is the one told (pull rule 1.12)."""
        source = RegistryBytes(self._door, client, image)
        partial = Path(self._request.partial) if self._request.partial else None
        try:
            async with asyncio.TaskGroup() as group:
                transfers = BlobTransfers(group, self._door, source, partial)
                begun = await self._begin(image)
                known = decode_bytes(begun, "config") if begun.has("config") else None
                if known is None and image.platform is not None:
                    # the index told the system, so no layer of another one is begun
                    fresh = set(begun.texts("fresh"))
                    wanted = [layer for layer in _distinct(image.layers) if layer.digest in fresh]
                    transfers.begin(wanted[: self._request.max_concurrent_downloads])
                raw_config = known or await self._fetch_config(client, image)
                config = self._checked(image, raw_config)
                layers = await self._make(image, config, transfers.take, transfers.keep_only)
        except BaseExceptionGroup as failures:
            raise first_cause(failures) from failures
        self._hand_over(client, image, raw_config, layers, fresh=known is None)

    async def _fetch_config(self, client: RegistryClient, image: ResolvedImage) -> bytes:
        try:
            return await client.fetch_config(image)
        except ImageError as error:
            error.cause = f"error pulling image configuration: {error.cause}"
            raise

    async def _pull_old(self, client: RegistryClient, image: ResolvedImage) -> None:
        """Pull an image of docker schema 1: its layers come first, since only they tell its config."""
        assert image.schema1 is not None
        self._say(f"Warning: {self._subject} {NOTICE}")
        hinted = ImageConfig(architecture="", os=image.schema1.os)
        check_os_compatible(hinted, self._platform(), subject=self._subject)
        begun = await self._begin(image)
        known = {layer.digest: layer for layer in map(read_layer, begun.children("layers"))}
        source = RegistryBytes(self._door, client, image)
        image, raw_config = await self._blobs.convert(
            image, image.schema1, known, lambda blob, path: self._save(source, blob, path)
        )
        config = self._checked(image, raw_config)
        layers = await self._make(image, config, lambda blob: self._old_blob(source, blob))
        self._hand_over(client, image, raw_config, layers, fresh=True)

    async def _save(self, source: RegistryBytes, blob: Descriptor, path: Path) -> int:
        async with contextlib.aclosing(source.pieces(blob)) as pieces:
            return await save_stream(pieces, path)

    def _old_blob(self, source: RegistryBytes, blob: Descriptor) -> AsyncGenerator[bytes, None]:
        return self._blobs.stream(blob) if self._blobs.has(blob) else source.pieces(blob)

    async def _begin(self, image: ResolvedImage) -> JsonObject:
        """Ask what is known of this image: its config, and its blobs."""
        blobs = [layer.digest for layer in _distinct(image.layers)]
        question = {"kind": "config", "digest": image.config.digest, "blobs": blobs}
        return await self._door.ask(question)

    def _checked(self, image: ResolvedImage, raw_config: bytes) -> ImageConfig:
        config = parse_image_config(raw_config, subject=f"config of {self._subject}")
        check_image_consistent(image.manifest, config, subject=self._subject)
        check_os_compatible(config, self._platform(), subject=self._subject)
        return config

    async def _make(
        self,
        image: ResolvedImage,
        config: ImageConfig,
        fetch: Fetch,
        keep_only: Callable[[AbstractSet[str]], None] = lambda _: None,
    ) -> list[LayerRecord]:
        """Make what is missing, and give all layers; `keep_only` hears which blobs are wanted."""
        layers = plan_layers(image.layers, config, self._tell)
        making = LayerMaking(self._door, self._request, fetch)
        states = await making.claim(layers)
        ours = [one.record for one in layers if states[one.record.chain_id] == ClaimState.YOURS]
        keep_only({record.digest for record in ours})
        await making.make(layers, states)
        return [layer.record for layer in layers]

    def _platform(self) -> Platform:
        if self._request.platform:
            return parse_platform(self._request.platform)
        return host_platform(host.machine())

    def _say(self, status: str) -> None:
        self._tell(PullEvent(status=status))

    def _tell(self, event: PullEvent) -> None:
        self._door.tell(event_message(event))

    def _hand_over(
        self,
        client: RegistryClient,
        image: ResolvedImage,
        raw_config: bytes,
        layers: Sequence[LayerRecord],
        *,
        fresh: bool,
    ) -> None:
        self._say(f"Digest: {image.target_digest}")
        news = "Downloaded newer image for" if fresh else "Image is up to date for"
        self._say(f"Status: {news} {self._subject}")
        commit = ImageCommit(
            reference=self._reference,
            target_digest=image.target_digest,
            manifest_digest=image.manifest_digest,
            manifest=image.manifest_bytes,
            config_digest=image.config.digest,
            config=raw_config,
            layers=tuple(replace(one, source=client.source_of(one.digest)) for one in layers),
            source=image.endpoint_url,
            is_named_by_digest=image.has_registry_digest,
            config_source=client.source_of(image.config.digest),
        )
        self._door.tell(commit_message(commit))


def _distinct(layers: Sequence[Descriptor]) -> list[Descriptor]:
    return list({layer.digest: layer for layer in layers}.values())
