"""How the daemon answers a worker what lies below a layer.

Promise: an answer fits into a frame whatever the layer holds, and takes a few seconds at most. Which layers a pull may
ask about is decided by who gives them.
"""

import time
from collections.abc import Callable, Sequence

from image.exchange.below_messages import attribute_fields
from image.store.below import Below

MAX_ATTRIBUTE_BYTES = 8 * 2**20
"""Of extended attributes in one answer, after which it ends."""
ANSWER_SECONDS = 5.0
"""After which an answer ends, so that a slow disk is seen as progress."""


def answer(
    below: Below, about: str, paths: Sequence[bytes], clock: Callable[[], float] = time.monotonic
) -> dict[str, object]:
    """Look up as many paths as time and space allow, at least one; the first ones are answered."""
    deadline = clock() + ANSWER_SECONDS
    if about == "names":
        marks = []
        for path in paths:
            marks.append("1" if below.exists(path) else "0")
            if clock() > deadline:
                break
        return {"kind": "below", "names": "".join(marks)}
    found, size = [], 0
    for path in paths:
        attributes = below.directory_attributes(path)
        found.append(attribute_fields(attributes))
        size += sum(len(value) for value in attributes.xattrs.values()) if attributes else 0
        if clock() > deadline or size > MAX_ATTRIBUTE_BYTES:
            break
    return {"kind": "below", "directories": found}
