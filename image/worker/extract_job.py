"""Extracts one stored tar inside a worker that may: the layers that an index cannot express, and nothing else.

Promise: it meets no network; what it writes is below the staged layer, whose tar and index are gone when it has told the
summary.
"""

import asyncio
import os
from contextlib import closing, suppress
from pathlib import Path

from image.errors import FailedPrecondition
from image.exchange.channel import Channel
from image.exchange.messages import WorkerRequest, summary_fields
from image.store.indexed_layer import INDEX, TAR, StoredTar
from image.store.layer_store import LayerSummary
from image.store.layer_tree import LayerTree
from image.store.tar_headers import TarError
from image.store.unpack_tar import UnpackLimits
from image.worker.below_questions import ask_below
from image.worker.daemon_door import DaemonDoor
from image.worker.layer_pipeline import first_cause


async def extract_layer(channel: Channel, request: WorkerRequest) -> None:
    """Answer a request to extract the tar in its staging directory, above the layers of the request.

    Raises:
        FailedPrecondition: the tar is refused.
        OSError: the disk is full or broken.
    """
    door = DaemonDoor(channel, request.reference)
    try:
        async with asyncio.TaskGroup() as group:
            listening = group.create_task(door.listen(), name="answers")
            summary = await _extract(door, request)
            door.tell({"kind": "extracted", **summary_fields(summary)})
            await door.wait_told()
            listening.cancel()
    except BaseExceptionGroup as failures:
        raise first_cause(failures) from failures


async def _extract(door: DaemonDoor, request: WorkerRequest) -> LayerSummary:
    staged = Path(request.staging)
    tree = await asyncio.to_thread(_filled, staged, request)
    with closing(tree):
        answers = await ask_below(door, request.below, tree.questions())
        summary = await asyncio.to_thread(tree.settle, answers)
    for name in (TAR, INDEX):
        with suppress(FileNotFoundError):
            os.unlink(staged / name)
    return summary


def _filled(staged: Path, request: WorkerRequest) -> LayerTree:
    limits = UnpackLimits(max_entries=request.max_layer_entries, max_depth=request.max_path_depth)
    tar = os.open(staged / TAR, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        tree = LayerTree(staged, limits)
        try:
            tree.fill(StoredTar(tar))
        except TarError as error:
            tree.close()
            raise FailedPrecondition(
                request.reference, f"layer is refused: {error}", reason="InvalidLayer"
            ) from error
        return tree
    finally:
        os.close(tar)
