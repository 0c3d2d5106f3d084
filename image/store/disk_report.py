"""What the store keeps on disk, layer by layer, and what would go with which image. Reads the database; changes nothing.

A layer is counted once however many images have it, so sums are real bytes and never above what the disk holds.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from image.model.records import ImageRecord

Rows = Callable[[str], list[tuple[str | int, ...]]]


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerOnDisk:
    """One published layer."""

    kind: str
    """`extract` or `erofs`."""
    used_bytes: int
    inodes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class DiskReport:
    """The database's view at one moment."""

    layers: Mapping[str, LayerOnDisk]
    """By chain id."""
    uses: Mapping[str, frozenset[str]]
    """Chain ids by the name under which a container keeps them."""
    pulled_ns: Mapping[str, int]
    """When each image came, by image id."""
    blob_bytes: Mapping[str, int]
    """Bytes of manifest and config on the disk, by image id."""

    def bytes_of(self, chain_ids: Iterable[str]) -> int:
        """Return what layers take together, each counted once."""
        return sum(self.layers[one].used_bytes for one in set(chain_ids) if one in self.layers)

    def image_bytes(self, record: ImageRecord) -> int:
        """Return what an image takes, shared layers included."""
        layers = (layer.chain_id for layer in record.layers)
        return self.bytes_of(layers) + self.blob_bytes.get(record.id, 0)

    def owners_of(self, record: ImageRecord) -> tuple[str, ...]:
        """Return the names under which containers keep exactly this image's layers."""
        wanted = frozenset(layer.chain_id for layer in record.layers)
        return tuple(owner for owner, chains in self.uses.items() if wanted and chains == wanted)

    def freed_by(self, doomed: Iterable[ImageRecord], images: Iterable[ImageRecord]) -> int:
        """Return the bytes that come back when all of `doomed` are removed from among `images`."""
        gone = {record.id: record for record in doomed}
        kept = {
            layer.chain_id for record in images if record.id not in gone for layer in record.layers
        }
        used = {chain for chains in self.uses.values() for chain in chains}
        layers = {layer.chain_id for record in gone.values() for layer in record.layers}
        blobs = sum(self.blob_bytes.get(one, 0) for one in gone)
        return self.bytes_of(layers - kept - used) + blobs

    def unique_bytes(self, record: ImageRecord, shares: Mapping[str, int]) -> int:
        """Return what only this image has; `shares` is `count_shares` of all images."""
        own = (layer.chain_id for layer in record.layers if shares.get(layer.chain_id, 0) < 2)
        return self.bytes_of(own) + self.blob_bytes.get(record.id, 0)


def count_shares(images: Iterable[ImageRecord]) -> Mapping[str, int]:
    """Count how many images have each layer."""
    counts: Counter[str] = Counter()
    for record in images:
        counts.update({layer.chain_id for layer in record.layers})
    return counts


def read_report(rows: Rows, blob_bytes: Mapping[str, int]) -> DiskReport:
    """Read the database by `rows`; `blob_bytes` was measured."""
    uses: dict[str, set[str]] = {}
    for owner, chain_id in rows("SELECT container_id, chain_id FROM uses"):
        uses.setdefault(str(owner), set()).add(str(chain_id))
    images = rows("SELECT id, pulled FROM images")
    return DiskReport(
        layers={
            str(chain_id): LayerOnDisk(
                kind=str(kind), used_bytes=int(used_bytes), inodes=int(inodes)
            )
            for chain_id, kind, used_bytes, inodes in rows(
                "SELECT chain_id, kind, used_bytes, inodes FROM layers"
            )
        },
        uses={owner: frozenset(chains) for owner, chains in uses.items()},
        pulled_ns={str(image_id): int(pulled) for image_id, pulled in images},
        blob_bytes=blob_bytes,
    )
