"""Chain ids: the identity of a layer on top of all below it (image-spec, config.md, "Layer ChainID").

Pure. A chain id names the result of applying layers in order, so equal chain ids mean equal lower directories.
"""

from collections.abc import Sequence

from image.model.digest import sha256_digest


def chain_ids(diff_ids: Sequence[str]) -> tuple[str, ...]:
    """Return the chain id of every layer, bottom first."""
    chains: list[str] = []
    for diff_id in diff_ids:
        chains.append(chain_of(chains[-1] if chains else "", diff_id))
    return tuple(chains)


def chain_of(parent: str, diff_id: str) -> str:
    """Return the chain id of a layer above the one with chain id `parent`, empty for the lowest."""
    return sha256_digest(f"{parent} {diff_id}".encode()) if parent else diff_id
