"""Makes the layers of one image that are missing: in parallel, but finished bottom first.

Promise: each layer is published above published ones only, and a layer that another pull makes is waited for and not
made twice. Damaged content after a joined transfer is fetched once more from its first byte (pull rule 1.16). It writes
below the staging directory alone.
"""

import asyncio
import contextlib
import os
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from image.errors import FailedPrecondition
from image.exchange.messages import WAITING_FOR, PullEvent, WorkerRequest, summary_fields
from image.model.descriptor import Descriptor
from image.model.digest import digest_hex, parse_digest
from image.model.image_config import ImageConfig
from image.model.records import LayerRecord
from image.registry.download import RESTART_REASON
from image.store.chain_ids import chain_ids
from image.store.indexed_layer import KIND as INDEXED
from image.store.indexed_layer import UNINDEXED, IndexedLayer
from image.store.layer_claims import ClaimState
from image.store.layer_store import LayerBuilder, LayerSummary
from image.store.layer_tree import LayerTree
from image.store.unpack_tar import UnpackLimits
from image.worker.below_questions import ask_below
from image.worker.daemon_door import DaemonDoor
from image.worker.layer_pipeline import LayerPipeline, first_cause
from image.worker.progress import LayerProgress

Fetch = Callable[[Descriptor], AsyncGenerator[bytes, None]]


@dataclass(frozen=True, slots=True)
class _Tree:
    """A filled layer and the name of its directory in the staging directory."""

    staged: str
    builder: LayerBuilder


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedLayer:
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


def plan_layers(
    descriptors: Sequence[Descriptor], config: ImageConfig, tell: Callable[[PullEvent], None]
) -> tuple[PlannedLayer, ...]:
    """Join what manifest and config say of each layer, bottom first."""
    loop = asyncio.get_running_loop()
    chains = chain_ids(config.diff_ids)
    return tuple(
        PlannedLayer(
            staged=f"layer{position}",
            record=LayerRecord(
                digest=descriptor.digest,
                diff_id=diff_id,
                chain_id=chain_id,
                size_bytes=descriptor.size,
            ),
            descriptor=descriptor,
            progress=LayerProgress(digest_hex(descriptor.digest)[:12], descriptor.size, tell),
            built=loop.create_future(),
        )
        for position, (descriptor, diff_id, chain_id) in enumerate(
            zip(descriptors, config.diff_ids, chains, strict=True)
        )
    )


class LayerMaking:
    """Makes layers of one image with the bytes that `fetch` gives."""

    def __init__(self, door: DaemonDoor, request: WorkerRequest, fetch: Fetch) -> None:
        self._door = door
        self._request = request
        self._fetch = fetch
        self._subject = request.reference
        self._slots = asyncio.Semaphore(max(1, request.max_concurrent_downloads))
        self._uses: Counter[str] = Counter()
        self._overlaps = True

    async def claim(self, layers: Sequence[PlannedLayer]) -> dict[str, str]:
        """Ask the daemon which of the layers are this pull's to make; their states by chain id."""
        chains = [layer.record.chain_id for layer in layers]
        answer = await self._door.ask({"kind": "claim", "chains": chains})
        return dict(answer.text_map("states"))

    async def make(self, layers: Sequence[PlannedLayer], states: dict[str, str]) -> None:
        """Make and publish what is missing.

        Raises:
            ImageError: the first failure.
            OSError: the disk is full or broken.
        """
        self._uses = Counter(layer.record.digest for layer in layers)
        made = sum(state == ClaimState.YOURS for state in states.values())
        at_once = min(made, self._request.max_concurrent_downloads)
        self._overlaps = at_once < len(os.sched_getaffinity(0))
        try:
            async with asyncio.TaskGroup() as group:
                for layer in layers:
                    if states[layer.record.chain_id] == ClaimState.YOURS:
                        layer.progress.say("Waiting")
                        group.create_task(self._build(layer), name=layer.record.chain_id)
                group.create_task(self._finish_all(layers, states), name="finish")
        except BaseExceptionGroup as failures:
            raise first_cause(failures) from failures

    async def _build(self, layer: PlannedLayer) -> None:
        async with self._slots:
            try:
                tree = await self._fill(layer, layer.staged)
            except FailedPrecondition as error:
                if error.reason != RESTART_REASON:
                    raise
                # Joined transfers or a lying mirror: once more from byte 0 (pull rule 1.16), in a directory of its own
                # because threads of the first attempt may still be writing.
                tree = await self._fill(layer, layer.second_staged)
        layer.built.set_result(tree)

    def _new_builder(self, staged: str) -> LayerBuilder:
        limits = UnpackLimits(
            max_entries=self._request.max_layer_entries, max_depth=self._request.max_path_depth
        )
        place = Path(self._request.staging) / staged
        if self._request.layer_kind == INDEXED:
            # A worker without capabilities leaves to another what has to be extracted.
            return IndexedLayer(place, limits, extracts=not self._request.uid)
        return LayerTree(place, limits)

    async def _fill(self, layer: PlannedLayer, staged: str) -> _Tree:
        builder = await asyncio.to_thread(self._new_builder, staged)
        pipeline = LayerPipeline(
            f"{self._subject}, layer {layer.record.digest}",
            builder,
            parse_digest(layer.record.diff_id),
            self._request.max_layer_bytes,
            layer.progress,
            overlaps=self._overlaps,
        )
        async with contextlib.aclosing(self._fetch(layer.descriptor)) as download:
            await pipeline.run(download)
        return _Tree(staged, builder)

    async def _finish_all(self, layers: Sequence[PlannedLayer], states: dict[str, str]) -> None:
        """Publish bottom first: waiting for another pull's layer is then free of deadlock (`layer_claims`)."""
        below: list[str] = []
        for layer in layers:
            chain_id = layer.record.chain_id
            self._uses[layer.record.digest] -= 1
            state = states[chain_id]
            if state == ClaimState.BUSY:
                layer.progress.say(f"{WAITING_FOR}another pull")
                answer = await self._door.ask({"kind": "wait", "chain": chain_id})
                state = dict(answer.text_map("states"))[chain_id]
                if state == ClaimState.YOURS:  # the other pull failed
                    await self._build(layer)
            if state == ClaimState.YOURS:
                await self._finish(layer, below)
                layer.progress.say("Pull complete")
            else:
                layer.progress.say("Already exists")
            below.insert(0, chain_id)

    async def _finish(self, layer: PlannedLayer, below: Sequence[str]) -> None:
        tree = await layer.built
        summary = await self._settle(tree.builder, below)
        await asyncio.to_thread(tree.builder.close)
        await self._door.ask(
            {
                "kind": "layer",
                "chain": layer.record.chain_id,
                "staged": tree.staged,
                "spent": "" if self._uses[layer.record.digest] else layer.record.digest,
                "below": list(below) if summary.kind == UNINDEXED else [],
                **summary_fields(replace(summary, parent=below[0] if below else "")),
            }
        )

    async def _settle(self, builder: LayerBuilder, below: Sequence[str]) -> LayerSummary:
        """Finish a layer with what the daemon tells of those below."""
        while True:
            questions = await asyncio.to_thread(builder.questions)
            answers = await ask_below(self._door, below, questions)
            summary = await asyncio.to_thread(builder.settle, answers)
            if summary is not None:
                return summary
