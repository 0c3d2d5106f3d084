"""Finds the image that an operator names, or says that it is not here. Changes nothing."""

from cri.admin.parts import AdminParts
from image.errors import InvalidArgument, NotFound
from image.model.records import ImageRecord
from image.model.reference import parse_reference


def find_image(parts: AdminParts, text: str) -> ImageRecord:
    """Return the image of a tag, digest reference, short name, id or id prefix.

    Raises:
        NotFound: it is not on this node.
        InvalidArgument: several images have ids that begin so.
    """
    found = parts.store.find(text)
    if found is None:
        raise NotFound(
            f"image {text[:200]}",
            "is not on this node",
            remedy="see 'lading image ls'",
            reason="ImageNotPresent",
        )
    return found


def pinned_names(record: ImageRecord, text: str) -> tuple[str, ...]:
    """Return the names that pinning `text` means: that one, or all tags when it is an id."""
    try:
        name = str(parse_reference(text))
    except InvalidArgument:
        name = ""
    if name in (*record.repo_tags, *record.repo_digests):
        return (name,)
    return record.repo_tags or record.repo_digests[:1]
