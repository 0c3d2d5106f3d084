"""One pull inside the worker: resolve, fetch, build the layers that are missing, hand the image over.

Promise: layers are built in parallel but finished bottom first, each above published ones, and the image is handed
over once, when all of them are published. It asks the daemon which layers are its to make, so that no layer is made
twice. It writes below the staging directory alone.
"""

import asyncio
import contextlib
import platform as host
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from image.errors import FailedPrecondition, Internal
from image.model.descriptor import Descriptor
from image.model.digest import Digest, digest_hex, parse_digest
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
from image.registry.client import RegistryClient
from image.registry.download import RESTART_REASON
from image.registry.resolved_image import ResolvedImage
from image.store.chain_ids import chain_ids
from image.store.extracted_layers import ExtractedLayers
from image.store.image_commit import ImageCommit
from image.store.indexed_layer import KIND as INDEXED
from image.store.indexed_layer import IndexedLayer
from image.store.layer_claims import ClaimState
from image.store.layer_store import LayerBuilder
from image.store.layer_tree import LayerTree
from image.store.unpack_tar import UnpackLimits
from image.worker.channel import Channel
from image.worker.layer_pipeline import LayerPipeline, first_cause
from image.worker.messages import (
    PullEvent,
    WorkerRequest,
    commit_message,
    decode_bytes,
    event_message,
    read_error,
    summary_fields,
)
from image.worker.progress import LayerProgress


@dataclass(frozen=True, slots=True)
class _Tree:
    """A filled layer and the name of its directory in the staging directory."""

    staged: str
    builder: LayerBuilder


@dataclass(frozen=True, kw_only=True, slots=True)
class _Layer:
    """One layer of the image on its way."""

    staged: str
    """Name for its directory in the staging directory."""
    record: LayerRecord
    descriptor: Descriptor
    progress: LayerProgress
    built: asyncio.Future[_Tree]

    @property
    def second_staged(self) -> str:
        """Name for the directory of a second attempt."""
        return f"{self.staged}again"


class PullJob:
    """One pull; `run` it once."""

    def __init__(self, channel: Channel, request: WorkerRequest) -> None:
        self._channel = channel
        self._request = request
        self._reference = parse_reference(request.reference)
        self._subject = str(self._reference)
        self._slots = asyncio.Semaphore(max(1, request.max_concurrent_downloads))
        self._store = ExtractedLayers(Path(request.layers), Path(request.staging))

    async def run(self) -> None:
        """Pull the image and hand it over.

        Raises:
            ImageError: why it could not be pulled.
            OSError: the disk is full or broken.
        """
        self._say(f"Pulling from {self._reference.path}")
        async with RegistryClient(
            registry_config_path=Path(self._request.registry_config_path),
            proxy=self._request.proxy,
            no_proxy=self._request.no_proxy,
        ) as client:
            image = await client.resolve(
                self._reference,
                platform=self._platform(),
                auth=self._request.auth,
                require_schema2=self._request.require_schema2,
            )
            self._say(f"Serving from {image.endpoint_url}")
            check_manifest_usable(image.manifest, subject=self._subject)
            known = await self._known_config(image.config.digest)
            raw_config = known or await client.fetch_config(image)
            config = parse_image_config(raw_config, subject=f"config of {self._subject}")
            check_image_consistent(image.manifest, config, subject=self._subject)
            check_os_compatible(config, self._platform(), subject=self._subject)
            layers = self._plan(image, config)
            await self._make_layers(client, image, layers)
        await self._hand_over(image, raw_config, layers, fresh=known is None)

    def _platform(self) -> Platform:
        if self._request.platform:
            return parse_platform(self._request.platform)
        return host_platform(host.machine())

    def _say(self, status: str) -> None:
        self._tell(PullEvent(status=status))

    def _tell(self, event: PullEvent) -> None:
        self._channel.send(event_message(event))

    async def _ask(self, message: dict[str, object]) -> JsonObject:
        """Send a question and wait for its answer; only one is under way at a time."""
        self._channel.send(message)
        answer = await self._channel.receive()
        if answer is None:
            raise Internal(self._subject, "daemon has closed the conversation")
        if answer.text("kind") == "error":
            raise read_error(answer)
        return answer

    async def _known_config(self, digest: Digest) -> bytes | None:
        answer = await self._ask({"kind": "config", "digest": digest})
        return decode_bytes(answer, "config") if answer.has("config") else None

    def _plan(self, image: ResolvedImage, config: ImageConfig) -> tuple[_Layer, ...]:
        loop = asyncio.get_running_loop()
        chains = chain_ids(config.diff_ids)
        return tuple(
            _Layer(
                staged=f"layer{position}",
                record=LayerRecord(
                    digest=descriptor.digest,
                    diff_id=diff_id,
                    chain_id=chain_id,
                    size_bytes=descriptor.size,
                ),
                descriptor=descriptor,
                progress=LayerProgress(
                    digest_hex(descriptor.digest)[:12], descriptor.size, self._tell
                ),
                built=loop.create_future(),
            )
            for position, (descriptor, diff_id, chain_id) in enumerate(
                zip(image.layers, config.diff_ids, chains, strict=True)
            )
        )

    async def _make_layers(
        self, client: RegistryClient, image: ResolvedImage, layers: Sequence[_Layer]
    ) -> None:
        chains = [layer.record.chain_id for layer in layers]
        answer = await self._ask({"kind": "claim", "chains": chains})
        states = dict(answer.text_map("states"))
        try:
            async with asyncio.TaskGroup() as group:
                for layer in layers:
                    if states[layer.record.chain_id] == ClaimState.YOURS:
                        layer.progress.say("Waiting")
                        group.create_task(
                            self._build(client, image, layer), name=layer.record.chain_id
                        )
                group.create_task(self._finish_all(client, image, layers, states), name="finish")
        except BaseExceptionGroup as failures:
            raise first_cause(failures) from failures

    async def _build(self, client: RegistryClient, image: ResolvedImage, layer: _Layer) -> None:
        async with self._slots:
            try:
                tree = await self._fill(client, image, layer, layer.staged)
            except FailedPrecondition as error:
                if error.reason != RESTART_REASON:
                    raise
                # Joined transfers or a lying mirror: once more from byte 0 (heritage 1.16), in a directory of its own
                # because threads of the first attempt may still be writing.
                tree = await self._fill(client, image, layer, layer.second_staged)
        layer.built.set_result(tree)

    def _new_builder(self, staged: str) -> LayerBuilder:
        limits = UnpackLimits(
            max_entries=self._request.max_layer_entries, max_depth=self._request.max_path_depth
        )
        place = Path(self._request.staging) / staged
        if self._request.layer_kind == INDEXED:
            return IndexedLayer(place, limits)
        return LayerTree(place, limits)

    async def _fill(
        self, client: RegistryClient, image: ResolvedImage, layer: _Layer, staged: str
    ) -> _Tree:
        builder = await asyncio.to_thread(self._new_builder, staged)
        pipeline = LayerPipeline(
            f"{self._subject}, layer {layer.record.digest}",
            builder,
            parse_digest(layer.record.diff_id),
            self._request.max_layer_bytes,
            layer.progress,
        )
        async with contextlib.aclosing(client.download(image, layer.descriptor)) as download:
            await pipeline.run(download)
        return _Tree(staged, builder)

    async def _finish_all(
        self,
        client: RegistryClient,
        image: ResolvedImage,
        layers: Sequence[_Layer],
        states: dict[str, str],
    ) -> None:
        """Publish bottom first: waiting for another pull's layer is then free of deadlock (`layer_claims`)."""
        below: list[str] = []
        for layer in layers:
            chain_id = layer.record.chain_id
            state = states[chain_id]
            if state == ClaimState.BUSY:
                answer = await self._ask({"kind": "wait", "chain": chain_id})
                state = dict(answer.text_map("states"))[chain_id]
                if state == ClaimState.YOURS:  # the other pull failed
                    await self._build(client, image, layer)
            if state == ClaimState.YOURS:
                await self._finish(layer, below)
                layer.progress.say("Pull complete")
            else:
                layer.progress.say("Already exists")
            below.insert(0, chain_id)

    async def _finish(self, layer: _Layer, below: Sequence[str]) -> None:
        tree = await layer.built
        lowers = [self._store.place(chain_id) for chain_id in below]
        summary = await asyncio.to_thread(tree.builder.settle, lowers)
        await asyncio.to_thread(tree.builder.close)
        await self._ask(
            {
                "kind": "layer",
                "chain": layer.record.chain_id,
                "staged": tree.staged,
                **summary_fields(replace(summary, parent=below[0] if below else "")),
            }
        )

    async def _hand_over(
        self, image: ResolvedImage, raw_config: bytes, layers: Sequence[_Layer], *, fresh: bool
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
            layers=tuple(layer.record for layer in layers),
        )
        self._channel.send(commit_message(commit))
        await self._channel.wait_sent()
