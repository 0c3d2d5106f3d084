"""Try whether a directory can hold writable layers: mount an overlay in it and delete a file, which needs a whiteout.

Promise: leaves nothing behind. Not every filesystem can be the upper one of overlayfs (kernel: filesystems/overlayfs.rst,
"Upper and lower"): NFS, another overlay, or one without the attributes `trusted.*` cannot.
"""

import secrets
import shutil
from contextlib import suppress
from pathlib import Path

from runtime.errors import PodRuntimeError
from runtime.host.host import OverlayMount
from runtime.host.mounts import unmount_all
from runtime.host.overlay import mount_overlay


def why_no_upper(directory: Path) -> str:
    """Return why containers cannot have their writable layers in a directory; empty when they can."""
    place = directory / f"probe-{secrets.token_hex(8)}"
    lower, target = place / "lower", place / "root"
    try:
        lower.mkdir(mode=0o700, parents=True)
        (lower / "file").touch()
        mount_overlay(
            OverlayMount(target=target, lower=(lower,), upper=place / "upper", work=place / "work")
        )
        try:
            (target / "file").unlink()
        finally:
            unmount_all(target)
    except OSError as error:
        return f"cannot be below an overlay mount: {error.strerror or error}"
    except PodRuntimeError as error:
        return error.cause
    finally:
        with suppress(OSError):
            shutil.rmtree(place)
    return ""
