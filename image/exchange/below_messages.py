"""A question about what lies below a layer, and what its answer tells of directories, as JSON objects.

Pure. The daemon believes nothing of a question: paths are checked before they are looked up.
"""

import os

from image.errors import FailedPrecondition
from image.exchange.messages import decode_bytes, encode_bytes
from image.host.extraction import Attributes
from image.model.json_document import JsonObject

MAX_PATHS = 20_000
"""Paths of one question."""


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


def attribute_fields(attributes: Attributes | None) -> dict[str, object]:
    """Write what is known of a directory; empty when there is none."""
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


def read_attributes(message: JsonObject) -> Attributes | None:
    """Read what `attribute_fields` wrote.

    Raises:
        FailedPrecondition: it is malformed.
    """
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
