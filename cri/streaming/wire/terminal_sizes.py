"""The resize stream: JSON objects behind each other, `{"Width":101,"Height":33}` and mostly a newline.

Keys are matched in any case, as Go does. Sizes of 0 and what does not fit 16 bits (struct winsize) are skipped.
"""

import json
from dataclasses import dataclass

from cri.streaming.wire.link_events import LinkError

TEXT_LIMIT = 4096
"""Bytes of one object; a client sends about 30."""
_LARGEST = 65535


@dataclass(frozen=True, slots=True)
class TerminalSize:
    """Columns and rows."""

    width: int
    height: int


class SizeReader:
    """Cuts the stream into sizes."""

    def __init__(self) -> None:
        self._decoder = json.JSONDecoder()
        self._text = ""

    def feed(self, data: bytes) -> list[TerminalSize]:
        """Return the sizes that are complete.

        Raises:
            LinkError: this is not JSON, or too long.
        """
        self._text = (self._text + data.decode("ascii", errors="replace")).lstrip()
        sizes: list[TerminalSize] = []
        while self._text:
            end = self._text.find("}") + 1
            if not end:
                break
            size = self._parse(self._text[:end])
            self._text = self._text[end:].lstrip()
            if size is not None:
                sizes.append(size)
        if len(self._text) > TEXT_LIMIT:
            raise LinkError("a terminal size is too long")
        return sizes

    def _parse(self, text: str) -> TerminalSize | None:
        try:
            value: object = self._decoder.decode(text)
        except (ValueError, RecursionError) as error:
            raise LinkError("a terminal size is no JSON") from error
        fields = value.items() if isinstance(value, dict) else ()
        found = {str(key).lower(): number for key, number in fields}
        width, height = found.get("width"), found.get("height")
        if not _fits(width) or not _fits(height):
            return None
        return TerminalSize(int(str(width)), int(str(height)))


def _fits(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _LARGEST
