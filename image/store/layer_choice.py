"""Decide at start how new layers are kept and how kept ones are shown: what is asked for, held against a probe.

Promise: `auto` always works. What the operator names outright and this machine cannot do is refused at start, with the
kernel's reason, instead of being replaced in silence. Layers of other kinds that are already here stay usable.
"""

from dataclasses import dataclass
from pathlib import Path

from image.errors import FailedPrecondition, InvalidArgument
from image.host.layer_mounts import MountMode
from image.host.mount_probe import DISK_FULL, probe
from image.store.erofs.probe_sample import make_sample
from image.store.indexed_layer import KIND as INDEXED
from image.store.layer_tree import KIND as EXTRACTED

_TRIED = {
    "auto": MountMode.FILE,
    "file": MountMode.FILE,
    "loop": MountMode.LOOP,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerChoice:
    """How this store works."""

    new_kind: str
    """Kind of layers that are pulled from now on."""
    mode: MountMode
    """How indexed layers are shown."""
    reason: str = ""
    """Why layers are extracted although nobody asked for that."""
    tells_damage: bool = True
    """Whether this kernel reports unreadable bytes of a layer as errors; see `host.mount_probe`."""


def choose_layers(directory: Path, wanted: str) -> LayerChoice:
    """Choose for a store in `directory`, where a probe may make files; `wanted` is `auto`, `file`, `loop` or `extract`.

    Raises:
        InvalidArgument: `wanted` is none of these.
        FailedPrecondition: `file` or `loop` does not work here.
        OSError: the directory cannot be used.
    """
    if wanted == "extract":
        # Layers indexed earlier are still mounted where that works.
        return LayerChoice(new_kind=EXTRACTED, mode=MountMode.FILE)
    if wanted not in _TRIED:
        raise InvalidArgument(
            f"layer store {wanted!r}", "is not known", remedy="use auto, file, loop or extract"
        )
    try:
        found = probe(directory, make_sample(), _TRIED[wanted])
    except OSError as error:
        if error.errno not in DISK_FULL:
            raise
        return _untried(wanted)
    if found.mode is MountMode.EXTRACT and wanted != "auto":
        raise FailedPrecondition(
            f"layer store {wanted!r}",
            f"does not work here: {found.reason}",
            remedy="set image.layer_store to auto",
            reason="LayerStoreUnavailable",
        )
    return LayerChoice(
        new_kind=EXTRACTED if found.mode is MountMode.EXTRACT else INDEXED,
        mode=found.mode,
        reason=found.reason,
        tells_damage=found.tells_damage,
    )


def _untried(wanted: str) -> LayerChoice:
    """Choose on a full disk: whoever comes to free it must get in, and mounted layers stay of use."""
    return LayerChoice(
        new_kind=EXTRACTED if wanted == "auto" else INDEXED,
        mode=_TRIED[wanted],
        reason="the disk is full, so mounting could not be tried",
    )
