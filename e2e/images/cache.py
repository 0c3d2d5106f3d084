"""Keep the built images outside the work tree, so that only the first run pays for them.

The key covers the sources of this package and the programs taken from the machine: a changed
recipe or an updated package makes new images. The last few keys are kept.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from e2e.images.catalogue import NamedImage, all_images
from e2e.images.host_programs import busybox_program
from e2e.tool_paths import cache_directory, system_tool

KEPT = 3
STAGING = "building-"
ABANDONED_SECONDS = 86_400.0
"""Nobody builds for so long."""
PROGRAMS = ("nginx", "pgrep", "ipcs", "gcc")


def cache_key() -> str:
    """Return a digest over recipes and over size and time of every program taken in."""
    digest = hashlib.sha256()
    folder = Path(__file__).parent
    for source in sorted([*folder.glob("*.py"), *folder.glob("sources/*.c")]):
        digest.update(source.name.encode() + source.read_bytes())
    for program in (busybox_program(), *map(system_tool, PROGRAMS)):
        status = program.stat()
        digest.update(f"{program} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


def load_images() -> list[NamedImage]:
    """Return all test images, built now if they are not in the cache."""
    target = cache_directory() / "images" / cache_key()
    try:
        # Written by this function under the user's own cache folder: nobody else's data is unpickled.
        images: list[NamedImage] = pickle.loads((target / "images.pickle").read_bytes())
    except FileNotFoundError:
        images = all_images()
        store(target, images)
    return images


def store(target: Path, images: list[NamedImage]) -> None:
    """Make the folder appear complete or not at all, whoever else builds at the same time."""
    target.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(dir=target.parent, prefix=STAGING))
    (staging / "images.pickle").write_bytes(pickle.dumps(images))
    try:
        os.rename(staging, target)
    except OSError:
        shutil.rmtree(staging)
    remove_old(target.parent)


def remove_old(folder: Path) -> None:
    """Remove all but the last few; what others build now stays, and what they remove now is gone already."""
    found: list[tuple[float, Path]] = []
    for path in folder.iterdir():
        with suppress(FileNotFoundError):
            changed = path.stat().st_mtime
            if not path.name.startswith(STAGING) or changed < time.time() - ABANDONED_SECONDS:
                found.append((changed, path))
    for _, old in sorted(found)[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)
