"""How a worker asks the daemon what lies below a layer: it needs no access to other layers.

Promise: a question and its answer fit into frames whatever the layer holds; what was left over is asked again.
"""

from collections.abc import Iterator, Sequence

from image.errors import FailedPrecondition
from image.exchange.below_messages import MAX_PATHS, read_attributes
from image.host.extraction import Attributes
from image.model.json_document import JsonObject
from image.store.below import Answers, Questions
from image.worker.daemon_door import DaemonDoor

MAX_PATH_BYTES = 2 * 2**20
"""Of one question; JSON writes a byte as six characters at worst, and a frame has 32 MiB."""


async def ask_below(door: DaemonDoor, layers: Sequence[str], questions: Questions) -> Answers:
    """Have questions about layers, given topmost first by chain id, answered by the daemon.

    Raises:
        ImageError: the daemon refused, or answered nonsense.
    """
    directories: dict[bytes, Attributes] = {}
    names: set[bytes] = set()
    if not layers:
        return Answers()
    for batch in batches(questions.directories):
        left: Sequence[bytes] = batch
        while left:
            answer = await _ask(door, layers, "directories", left)
            found = [read_attributes(one) for one in answer.children("directories")]
            directories |= {p: one for p, one in zip(left, found, strict=False) if one is not None}
            left = left[_progress(len(found)) :]
    for batch in batches(questions.names):
        left = batch
        while left:
            marks = (await _ask(door, layers, "names", left)).text("names")
            names |= {path for path, mark in zip(left, marks, strict=False) if mark == "1"}
            left = left[_progress(len(marks)) :]
    return Answers(directories, names)


async def _ask(
    door: DaemonDoor, layers: Sequence[str], kind: str, paths: Sequence[bytes]
) -> JsonObject:
    texts = [path.decode("latin-1") for path in paths]
    return await door.ask({"kind": "below", "layers": list(layers), "about": kind, "paths": texts})


def _progress(count: int) -> int:
    if not count:
        raise FailedPrecondition("pull", "the daemon answered nothing about layers below")
    return count


def batches(paths: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """Cut paths into what one question may hold."""
    begin, size = 0, 0
    for position, path in enumerate(paths):
        size += len(path)
        if position - begin == MAX_PATHS or (size > MAX_PATH_BYTES and position > begin):
            yield paths[begin:position]
            begin, size = position, len(path)
    if begin < len(paths):
        yield paths[begin:]
