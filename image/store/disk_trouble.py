"""Tell what the disk says in the store's words: a full disk is the operator's to mend, all else is a fault.

Promise: an error keeps the kernel's words and the file's name, and is never swallowed.
"""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from image.errors import ImageError, Internal, ResourceExhausted


@contextlib.contextmanager
def disk_told(root: Path) -> Iterator[None]:
    """Turn an OSError of the block into an error of the store below `root`.

    Raises:
        ResourceExhausted: the disk is full.
        Internal: the disk failed in another way.
    """
    try:
        yield
    except OSError as error:
        raise _translated(error, root) from error


def _translated(error: OSError, root: Path) -> ImageError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ResourceExhausted(
            str(root), "disk is full", remedy="remove images or free space", reason="DiskFull"
        )
    name = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else str(root)
    return Internal(name, f"image store: {error.strerror or error}")


def is_disk_full(error: BaseException | None) -> bool:
    """Tell whether something failed for want of space."""
    return isinstance(error, ResourceExhausted) and error.reason == "DiskFull"
