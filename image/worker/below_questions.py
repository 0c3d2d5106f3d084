"""How a worker asks the daemon what lies below a layer, both ends: a worker needs no access to other layers.

Promise: a question and its answer fit into frames whatever the layer holds, and an answer takes a few seconds at most;
what was left over is asked again. The daemon believes nothing of a question: paths are checked before they are looked
up, and layers that the pull has not claimed are none.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence

from image.errors import FailedPrecondition
from image.host.extraction import Attributes
from image.model.json_document import JsonObject
from image.store.below import Answers, Below, Questions
from image.worker.daemon_door import DaemonDoor
from image.worker.messages import decode_bytes, encode_bytes

MAX_PATHS = 20_000
"""Paths of one question."""
MAX_PATH_BYTES = 2 * 2**20
"""Of one question; JSON writes a byte as six characters at worst, and a frame has 32 MiB."""
MAX_ATTRIBUTE_BYTES = 8 * 2**20
"""Of extended attributes in one answer, after which it ends."""
ANSWER_SECONDS = 5.0
"""After which an answer ends, so that a slow disk is seen as progress."""


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
            found = [_read_attributes(one) for one in answer.children("directories")]
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


def read_question(message: JsonObject) -> tuple[str, list[bytes]]:
    """Read what a question is about and its paths.

    Raises:
        FailedPrecondition: it is none that an honest worker would ask.
    """
    about, texts = message.text("about"), message.texts("paths")
    try:
        paths = [text.encode("latin-1") for text in texts]
    except UnicodeEncodeError as error:
        raise FailedPrecondition("pull", "worker asked for what is no path") from error
    if about not in ("directories", "names") or len(paths) > MAX_PATHS:
        raise FailedPrecondition("pull", "worker asked a question that is none")
    if not all(map(_is_canonical, paths)):
        raise FailedPrecondition("pull", "worker asked for what is no path")
    return about, paths


def _is_canonical(path: bytes) -> bool:
    return not path or (
        b"\0" not in path and not any(part in (b"", b".", b"..") for part in path.split(b"/"))
    )


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
        found.append(_attribute_fields(attributes))
        size += sum(len(value) for value in attributes.xattrs.values()) if attributes else 0
        if clock() > deadline or size > MAX_ATTRIBUTE_BYTES:
            break
    return {"kind": "below", "directories": found}


def _attribute_fields(attributes: Attributes | None) -> dict[str, object]:
    if attributes is None:
        return {}
    return {
        "mode": attributes.mode,
        "uid": attributes.uid,
        "gid": attributes.gid,
        "mtime_ns": attributes.mtime_ns,
        "xattrs": [
            {"name": encode_bytes(os.fsencode(name)), "value": encode_bytes(value)}
            for name, value in attributes.xattrs.items()
        ],
    }


def _read_attributes(message: JsonObject) -> Attributes | None:
    if not message.has("mode"):
        return None
    return Attributes(
        mode=message.integer("mode"),
        uid=message.integer("uid"),
        gid=message.integer("gid"),
        mtime_ns=message.integer("mtime_ns"),
        xattrs={
            os.fsdecode(decode_bytes(one, "name")): decode_bytes(one, "value")
            for one in message.children("xattrs")
        },
    )
