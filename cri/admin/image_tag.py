"""The verbs `image/tag`, `image/pin` and `image/unpin`: names and pins of images that are here."""

import time

from cri.admin.arguments import Arguments
from cri.admin.image_lookup import find_image, pinned_names
from cri.admin.parts import AdminParts
from cri.admin.texts import parse_rfc3339, rfc3339
from image.errors import InvalidArgument
from image.model.reference import parse_reference
from image.store.pins import DEFAULT_LABEL, Pin


async def tag_image(parts: AdminParts, arguments: Arguments) -> dict[str, object]:
    """Answer `image/tag`: another name for an image; a name that another image has moves.

    Raises:
        NotFound: the image is not on this node.
        InvalidArgument: the new name is no tag.
    """
    source, target = arguments.text("source"), arguments.text("target")
    arguments.finish()
    record = find_image(parts, source)
    name = parse_reference(target)
    if name.digest is not None:
        raise InvalidArgument(
            f"new name {target[:200]}", "has a digest", remedy="write NAME:TAG", reason="NotATag"
        )
    before = parts.store.find(str(name))
    tagged = await parts.store.tag(record.id, str(name))
    return {
        "schema": "lading.image-tag/v1",
        "id": tagged.id,
        "name": str(name),
        "moved_from": before.id if before is not None and before.id != tagged.id else "",
        "tags": list(tagged.repo_tags),
    }


async def pin_image(parts: AdminParts, arguments: Arguments) -> dict[str, object]:
    """Answer `image/pin`.

    Raises:
        NotFound: the image is not on this node.
        InvalidArgument: the end is no time, or has passed.
    """
    text = arguments.text("reference")
    label = arguments.text("name", DEFAULT_LABEL)
    until = read_until(arguments.text("until", ""))
    arguments.finish()
    record = find_image(parts, text)
    pins = [
        await parts.pins.pin(name, label=label, until_ns=until)
        for name in pinned_names(record, text)
    ]
    return {
        "schema": "lading.image-pin/v1",
        "id": record.id,
        "pins": [_pin_fields(pin) for pin in pins],
    }


async def unpin_image(parts: AdminParts, arguments: Arguments) -> dict[str, object]:
    """Answer `image/unpin`; pins of the settings stay.

    Raises:
        NotFound: the image is not on this node.
    """
    text, label = arguments.text("reference"), arguments.text("name", "")
    arguments.finish()
    record = find_image(parts, text)
    gone = await parts.pins.unpin(pinned_names(record, text), label=label)
    after = parts.store.find(record.id) or record
    return {
        "schema": "lading.image-unpin/v1",
        "id": record.id,
        "removed": [_pin_fields(pin) for pin in gone],
        "still_pinned": after.pinned,
    }


def read_until(text: str) -> int:
    """Return the end of a pin in nanoseconds, 0 for none.

    Raises:
        InvalidArgument: it is no time, or has passed.
    """
    if not text:
        return 0
    try:
        until = parse_rfc3339(text)
    except ValueError as error:
        raise _bad_end(text, "is no time") from error
    if until <= time.time_ns():
        raise _bad_end(text, "has passed")
    return until


def _bad_end(text: str, cause: str) -> InvalidArgument:
    return InvalidArgument(
        f"end of the pin {text[:60]}",
        cause,
        remedy="write it as 2027-01-31 or 2027-01-31T12:00:00Z",
        reason="BadTime",
    )


def _pin_fields(pin: Pin) -> dict[str, object]:
    return {
        "image": pin.name,
        "name": pin.label,
        "since": rfc3339(pin.since_ns),
        "until": rfc3339(pin.until_ns),
    }
