"""Limits of the texts in a request: length, characters, total size.

runc once took a very long mount source for settings of its own (security rule E5), so a path or name has at most PATH_MAX
bytes and no NUL. Arguments and environment values may be as long as the kernel takes them. No error quotes a whole value.
"""

from collections.abc import Iterable

from runtime.errors import InvalidArgument

MAX_TEXT = 4095
"""Bytes of a path or name: PATH_MAX of the kernel without its end."""

MAX_ARGUMENT = 128 * 1024 - 1
"""Bytes of one argument or environment entry: MAX_ARG_STRLEN of execve(2) without its end."""

MAX_ANNOTATIONS = 256 * 1024
"""Bytes of all annotations of an object together, as the Kubernetes API server has it."""

_SHOWN = 64


def check_text(subject: str, what: str, value: str, *, limit: int = MAX_TEXT) -> None:
    """Refuse a text that is too long or has a NUL.

    Raises:
        InvalidArgument: so it is.
    """
    size = byte_size(value)
    if size > limit:
        cause = f"has {what} of {size} bytes, more than {limit}"
        raise InvalidArgument(subject, cause, remedy="shorten it", reason="TextTooLong")
    if "\0" in value:
        cause = f"has a NUL character in {what}"
        raise InvalidArgument(subject, cause, remedy="remove it", reason="BadCharacter")


def check_texts(subject: str, what: str, values: Iterable[str], *, limit: int = MAX_TEXT) -> None:
    """Check several texts.

    Raises:
        InvalidArgument: one of them is too long or has a NUL.
    """
    for value in values:
        check_text(subject, what, value, limit=limit)


def check_printable(subject: str, what: str, value: str, *, without: str = "") -> None:
    """Refuse control characters and the given separators in a text that becomes part of a line or path.

    Raises:
        InvalidArgument: there is one.
    """
    check_text(subject, what, value)
    bad = next((char for char in value if not char.isprintable() or char in without), None)
    if bad is not None:
        raise InvalidArgument(
            subject,
            f"has the character {bad!r} in {what}",
            remedy="remove it",
            reason="BadCharacter",
        )


def check_count(subject: str, what: str, count: int, limit: int) -> None:
    """Refuse more than `limit` of something.

    Raises:
        InvalidArgument: there are more.
    """
    if count > limit:
        cause = f"has {count} {what}, more than {limit}"
        raise InvalidArgument(subject, cause, remedy="use fewer", reason="TooMany")


def check_total(subject: str, what: str, pairs: Iterable[tuple[str, str]]) -> None:
    """Refuse annotations or labels whose names and values together are too large.

    Raises:
        InvalidArgument: they are; size and limit are told.
    """
    size = sum(byte_size(name) + byte_size(value) for name, value in pairs)
    if size > MAX_ANNOTATIONS:
        raise InvalidArgument(
            subject,
            f"has {size} bytes of {what}, more than {MAX_ANNOTATIONS}",
            remedy="keep large values in a ConfigMap or a volume",
            reason="AnnotationsTooLarge",
        )


def byte_size(text: str) -> int:
    """Return how many bytes a text has in UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def shown(value: str) -> str:
    """Return a value as an error may quote it: short, with control characters spelled out."""
    return repr(value if len(value) <= _SHOWN else f"{value[:_SHOWN]}...")
