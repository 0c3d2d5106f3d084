"""The layers of one image as overlayfs wants them: directories, topmost first, and nothing below an opaque root.

Shows each layer by the store that keeps it, which may mend it first; blocks for as long as that takes.
"""

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

from image.errors import FailedPrecondition


def show_layers(
    attach: Callable[[str], Path],
    image_id: str,
    chain_ids: Sequence[str],
    opaque: AbstractSet[str],
) -> tuple[Path, ...]:
    """Return the directories of an image whose layers are given bottom first; `attach` shows one (`LayerStore.attach`).

    `opaque` are the layers with an opaque root.

    Raises:
        FailedPrecondition: a layer is missing, or damaged beyond mending.
        OSError: the disk is full or broken.
    """
    shown = []
    for chain_id in reversed(chain_ids):
        try:
            shown.append(attach(chain_id))
        except FileNotFoundError as error:
            raise FailedPrecondition(
                image_id,
                f"layer {chain_id} is missing from the store",
                remedy="remove the image and pull it again",
                reason="LayerMissing",
            ) from error
        if chain_id in opaque:
            # overlayfs ignores the mark on a layer's root, so what lies below is left out here.
            break
    return tuple(shown)
