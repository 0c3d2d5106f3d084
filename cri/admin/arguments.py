"""The arguments of a verb, by name and type: a JSON object in the body, or the query of a GET.

Promise: a name that the verb does not know, and a value of another type, are refused with the name; nothing is guessed.
"""

from collections.abc import AsyncIterator, Mapping

from image.errors import ImageError
from image.model.json_document import parse_json_object
from runtime.errors import InvalidArgument

MAX_BODY_BYTES = 1024 * 1024
"""Credentials and names: a megabyte is a mistake already."""

_WORDS = {"true": True, "1": True, "": True, "false": False, "0": False}


class Arguments:
    """What a request asks for; each value is taken once, and `finish` refuses the rest."""

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = dict(values)

    def text(self, name: str, default: str | None = None) -> str:
        """Take a text.

        Raises:
            InvalidArgument: it is missing without a default, or no text.
        """
        value = self._values.pop(name, default)
        if value is None:
            raise _refused(name, "is missing")
        if not isinstance(value, str) or "\x00" in value:
            raise _refused(name, "must be text")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """Take a list of texts, empty when absent; one text is a list of one.

        Raises:
            InvalidArgument: it is something else.
        """
        value = self._values.pop(name, [])
        found = [value] if isinstance(value, str) else value
        if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
            raise _refused(name, "must be a list of texts")
        return tuple(str(one) for one in found)

    def flag(self, name: str) -> bool:
        """Take a truth value, false when absent.

        Raises:
            InvalidArgument: it is something else.
        """
        value = self._values.pop(name, False)
        if isinstance(value, str):
            value = _WORDS.get(value.lower())
        if not isinstance(value, bool):
            raise _refused(name, "must be true or false")
        return value

    def number(self, name: str, default: int) -> int:
        """Take a whole number.

        Raises:
            InvalidArgument: it is something else.
        """
        value = self._values.pop(name, default)
        if isinstance(value, str) and value.removeprefix("-").isdecimal():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise _refused(name, "must be a whole number")
        return value

    def texts_by_name(self, name: str) -> Mapping[str, str]:
        """Take an object of texts, empty when absent.

        Raises:
            InvalidArgument: it is something else.
        """
        value = self._values.pop(name, None) or {}
        if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
            raise _refused(name, "must be an object of texts")
        return {str(key): str(one) for key, one in value.items()}

    def objects(self, name: str) -> tuple[Mapping[str, object], ...]:
        """Take a list of objects, empty when absent.

        Raises:
            InvalidArgument: it is something else.
        """
        value = self._values.pop(name, [])
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            raise _refused(name, "must be a list of objects")
        return tuple(value)

    def rest(self) -> Mapping[str, object]:
        """Take everything that is left, to be read together with something else."""
        values, self._values = self._values, {}
        return values

    def finish(self) -> None:
        """Refuse what nobody took.

        Raises:
            InvalidArgument: names it.
        """
        if self._values:
            raise _refused(min(self._values), "is not known to this verb")


async def read_object(pieces: AsyncIterator[bytes]) -> Mapping[str, object]:
    """Read a whole body as one JSON object; an empty body is an empty object.

    Raises:
        InvalidArgument: it is too large, or no JSON object.
    """
    raw = bytearray()
    async for piece in pieces:
        raw += piece
        if len(raw) > MAX_BODY_BYTES:
            raise InvalidArgument(
                "request", f"is larger than {MAX_BODY_BYTES} bytes", reason="TooLarge"
            )
    if not raw.strip():
        return {}
    try:
        return parse_json_object(bytes(raw), subject="request", max_bytes=MAX_BODY_BYTES).fields
    except ImageError as error:
        raise InvalidArgument(error.subject, error.cause, reason="BadRequest") from error


def _refused(name: str, cause: str) -> InvalidArgument:
    return InvalidArgument(f"argument {name[:100]}", cause, reason="BadArgument")
