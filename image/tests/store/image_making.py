"""Makes images for tests of the store: real layers, published as a pull would."""

import json
import tarfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from image.model.digest import sha256_digest
from image.model.records import ImageRecord, LayerRecord
from image.model.reference import parse_reference
from image.store.below import Answers, Questions
from image.store.chain_ids import chain_ids
from image.store.image_commit import ImageCommit
from image.store.image_store import ImageStore, PullSpace
from image.store.layer_claims import ClaimState
from image.store.layer_store import LayerBuilder, LayerSummary
from image.store.layer_tree import LayerTree
from image.store.lower_view import LowerView
from image.store.unpack_tar import UnpackLimits
from image.tests.store.tar_making import Chunks, TarMaker


def layer(name: str, content: bytes = b"x") -> bytes:
    """Make the tar of a layer with one file."""
    return TarMaker(tarfile.USTAR_FORMAT).add(name, content).done()


def commit_of(reference: str, layers: tuple[bytes, ...], *, salt: str = "") -> ImageCommit:
    """Describe an image; `salt` makes another manifest of the same config."""
    diff_ids = [sha256_digest(tar) for tar in layers]
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
        }
    ).encode()
    manifest = json.dumps({"salt": salt, "config": sha256_digest(config)}).encode()
    records = tuple(
        LayerRecord(digest=diff_id, diff_id=diff_id, chain_id=chain_id, size_bytes=len(tar))
        for diff_id, chain_id, tar in zip(diff_ids, chain_ids(diff_ids), layers, strict=True)
    )
    return ImageCommit(
        reference=parse_reference(reference),
        target_digest=sha256_digest(manifest),
        manifest_digest=sha256_digest(manifest),
        manifest=manifest,
        config_digest=sha256_digest(config),
        config=config,
        layers=records,
    )


def asked(questions: Questions, lowers: Sequence[Path]) -> Answers:
    """Answer what a builder asks of published layers, given topmost first, and nothing else."""
    with closing(LowerView(lowers)) as below:
        found = {path: below.directory_attributes(path) for path in questions.directories}
        names = frozenset(path for path in questions.names if below.exists(path))
    return Answers({path: one for path, one in found.items() if one is not None}, names)


def settled(builder: LayerBuilder, lowers: Sequence[Path]) -> LayerSummary:
    """Settle a filled layer above published ones, given topmost first."""
    while True:
        summary = builder.settle(asked(builder.questions(), lowers))
        if summary is not None:
            return summary


def build(staged: Path, tar: bytes, lowers: list[Path]) -> LayerSummary:
    """Extract a layer above published ones."""
    tree = LayerTree(staged, UnpackLimits())
    try:
        tree.fill(Chunks(tar))
        return settled(tree, lowers)
    finally:
        tree.close()


async def publish_missing(space: PullSpace, commit: ImageCommit, tars: tuple[bytes, ...]) -> int:
    """Build and publish what the store lacks; return how many layers that were."""
    chains = tuple(record.chain_id for record in commit.layers)
    states = await space.claim(chains)
    built = 0
    for position, (chain_id, tar) in enumerate(zip(chains, tars, strict=True)):
        if states[chain_id] is ClaimState.YOURS:
            lowers = [_place(space, lower) for lower in reversed(chains[:position])]
            summary = build(space.staging / f"layer{position}", tar, lowers)
            await space.publish_layer(f"layer{position}", chain_id, summary)
            built += 1
    return built


def _place(space: PullSpace, chain_id: str) -> Path:
    return space.staging.parents[1] / "layers" / chain_id.partition(":")[2]


async def add_image(store: ImageStore, reference: str, *tars: bytes, salt: str = "") -> ImageRecord:
    """Put an image into a store."""
    commit = commit_of(reference, tars, salt=salt)
    space = await store.begin_pull()
    try:
        await publish_missing(space, commit, tars)
        return await space.commit(commit)
    finally:
        await space.close()
