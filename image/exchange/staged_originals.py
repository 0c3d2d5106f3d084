"""Where a worker puts the originals of an image's layers, and the daemon finds them. Pure."""

from pathlib import Path

from image.model.digest import digest_hex, parse_digest


def blob_place(staging: Path, digest: str) -> Path:
    """Return where a blob is put."""
    return staging / f"original{digest_hex(parse_digest(digest))}"
