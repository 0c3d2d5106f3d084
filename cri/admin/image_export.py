"""The verb `image/export`: images as one tar, streamed out of the store, or with their originals from the registry.

What is exported cannot be removed meanwhile: its layers are held like those of a running pull. A refusal comes before
the first byte; a failure later breaks the stream off, so that nobody takes half an archive for a whole one.
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cri.admin.arguments import Arguments, read_object
from cri.admin.http_messages import Reply, Request
from cri.admin.image_lookup import find_image, pinned_names
from cri.admin.image_pull import read_auth
from cri.admin.parts import AdminParts
from image.errors import FailedPrecondition
from image.exchange.staged_originals import blob_place
from image.model.digest import digest_hex, parse_digest
from image.model.manifest import Manifest, parse_manifest
from image.model.records import ImageRecord, RegistryAuth
from image.store.disk_report import DiskReport
from image.store.image_export import (
    ExportImage,
    ExportPlan,
    LayerBlob,
    archive_pieces,
    batched,
    file_pieces,
    plan_export,
)
from image.store.image_store import PullSpace
from image.store.indexed_layer import KIND, TAR
from image.store.lower_view import ROOT
from image.store.tar_digest import stored_length
from image.store.tree_tar import TreeTar

MEDIA_TYPE = "application/x-tar"
_MEASURE_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Wanted:
    """One image that was asked for."""

    record: ImageRecord
    text: str
    auth: RegistryAuth | None


async def export_images(parts: AdminParts, request: Request, arguments: Arguments) -> Reply:
    """Answer `image/export`: `references` are names or ids, `auths` credentials for each, in the same order.

    Raises:
        NotFound: an image is not on this node, or its originals are not in the registry.
        ImageError: why it cannot be exported.
    """
    arguments = Arguments({**arguments.rest(), **await read_object(request.body.pieces())})
    texts, exact = arguments.texts("references"), arguments.flag("exact")
    auths = [read_auth(Arguments({"auth": one})) for one in arguments.objects("auths")]
    arguments.finish()
    auths += [None] * (len(texts) - len(auths))
    wanted = [
        _Wanted(find_image(parts, text), text, auth)
        for text, auth in zip(texts, auths, strict=False)
    ]
    space = await parts.store.begin_pull()
    try:
        chains = {layer.chain_id for one in wanted for layer in one.record.layers}
        await space.claim(tuple(chains))
        plan = await _plan(parts, space, wanted, exact=exact)
    except BaseException:
        await space.close()
        raise
    return Reply(media_type=MEDIA_TYPE, body=_stream(plan, space))


async def _stream(plan: ExportPlan, space: PullSpace) -> AsyncGenerator[bytes, None]:
    pieces = archive_pieces(plan)
    try:
        while piece := await asyncio.to_thread(next, pieces, b""):
            yield piece
    finally:
        await space.close()


async def _plan(
    parts: AdminParts, space: PullSpace, wanted: Sequence[_Wanted], *, exact: bool
) -> ExportPlan:
    report = await parts.store.report()
    known: dict[str, LayerBlob] = {}
    images = []
    for one in wanted:
        if exact:
            images.append(await _original(parts, space, one, report))
        else:
            images.append(await _as_kept(parts, one, report, known))
    return plan_export(images)


async def _as_kept(
    parts: AdminParts, one: _Wanted, report: DiskReport, known: dict[str, LayerBlob]
) -> ExportImage:
    """Take the layers as they lie here; `known` has those that were looked at for another image."""
    for layer in one.record.layers:
        place = _place(parts, layer.chain_id)
        if layer.chain_id in known:
            continue
        if _is_tar(report, layer.chain_id):
            blob = await asyncio.to_thread(_stored_tar, place / TAR, layer.diff_id)
        else:
            blob = await _measured(TreeTar(place / ROOT))
        known[layer.chain_id] = blob
    return ExportImage(
        names=pinned_names(one.record, one.text),
        config=await parts.store.read_blob(one.record.id),
        parsed=one.record.config,
        layers=tuple(known[layer.chain_id] for layer in one.record.layers),
    )


async def _original(
    parts: AdminParts, space: PullSpace, one: _Wanted, report: DiskReport
) -> ExportImage:
    """Fetch what is not here byte for byte, and take the registry's manifest."""
    record = one.record
    raw = await parts.store.read_blob(record.manifest_digest)
    manifest = parse_manifest(raw, subject=f"manifest of {one.text}")
    if not isinstance(manifest, Manifest):
        raise FailedPrecondition(
            f"image {one.text}",
            "is of docker schema 1, which no archive can hold as it is",
            remedy="export it without --exact",
            reason="Schema1",
        )
    here = {
        layer.digest: _place(parts, layer.chain_id) / TAR
        for layer in record.layers
        if layer.digest == layer.diff_id and _is_tar(report, layer.chain_id)
    }
    names = pinned_names(record, one.text)
    name = next(iter(names), "")
    await parts.puller.originals.fetch(record, name, space, auth=one.auth, kept=tuple(here))
    blobs = [
        LayerBlob(
            digest=layer.digest,
            size=layer.size,
            pieces=file_pieces(here.get(layer.digest) or blob_place(space.staging, layer.digest)),
        )
        for layer in manifest.layers
    ]
    return ExportImage(
        names=names,
        config=await parts.store.read_blob(record.id),
        parsed=record.config,
        layers=tuple(blobs),
        manifest=raw,
        media_type=manifest.media_type,
    )


def _place(parts: AdminParts, chain_id: str) -> Path:
    return parts.store.root / "layers" / digest_hex(parse_digest(chain_id))


def _is_tar(report: DiskReport, chain_id: str) -> bool:
    kept = report.layers.get(chain_id)
    return kept is not None and kept.kind == KIND


def _stored_tar(path: Path, diff_id: str) -> LayerBlob:
    length = stored_length(path, diff_id)
    return LayerBlob(digest=diff_id, size=length, pieces=file_pieces(path, length))


async def _measured(tree: TreeTar) -> LayerBlob:
    """Write a tree's tar to nowhere to learn its digest; a caller that leaves ends it within a few megabytes."""
    found, size = hashlib.sha256(), 0
    batches: Iterator[bytes] = batched(tree.pieces(), _MEASURE_BYTES)
    while batch := await asyncio.to_thread(next, batches, b""):
        await asyncio.to_thread(found.update, batch)
        size += len(batch)
    return LayerBlob(digest=f"sha256:{found.hexdigest()}", size=size, pieces=tree.pieces)
