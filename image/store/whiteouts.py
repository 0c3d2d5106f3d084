"""The names by which a layer deletes what lies below it, and the record of what they became.

Pure. `.wh.NAME` deletes NAME of the layers below, `.wh..wh..opq` deletes all that the directory holds there, and
neither touches this layer's own entries (image-spec, layer.md, "Whiteouts"). overlayfs has other marks: a character
device 0:0, and the attribute `overlay.opaque` (kernel documentation, filesystems/overlayfs).
"""

from dataclasses import dataclass, field

PREFIX = b".wh."
_OPAQUE = b".wh..wh..opq"
_AUFS = b".wh..wh."


@dataclass(slots=True)
class Whiteouts:
    """Where a layer deletes, by canonical path."""

    deleted: dict[bytes, None] = field(default_factory=dict)
    """Character devices 0:0 that were made; later members may have replaced some."""
    opaque: dict[bytes, None] = field(default_factory=dict)
    """Directories that hide the same directory below, or did before they were replaced; empty text is the layer's root."""

    def hides(self, canonical: bytes) -> bool:
        """Tell whether a parent is opaque, so that nothing from below can be at this path."""
        return any(parent in self.opaque for parent in parents(canonical))


def parents(path: bytes) -> list[bytes]:
    """List the directories above a canonical path, from the root down."""
    ends = [i for i, byte in enumerate(path) if byte == 0x2F]
    return [b"", *(path[:end] for end in ends)] if path else []


def is_opaque_mark(path: bytes) -> bool:
    """Tell whether the member says "this directory is opaque"."""
    return path.rpartition(b"/")[2] == _OPAQUE


def is_aufs_record(path: bytes) -> bool:
    """Tell whether the member is a record of aufs' own, which old Docker layers hold; it is no content."""
    return _AUFS in path and any(part.startswith(_AUFS) for part in path.split(b"/"))


def deleted_path(path: bytes) -> bytes | None:
    """Return the path that a `.wh.` member deletes, None when it is no whiteout.

    Raises:
        ValueError: the name after the prefix is none.
    """
    head, slash, name = path.rpartition(b"/")
    if not name.startswith(PREFIX):
        return None
    target = name[len(PREFIX) :]
    if target in (b"", b".", b".."):
        raise ValueError("whiteout without a name")
    return head + slash + target
