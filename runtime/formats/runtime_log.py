"""The JSON log of an OCI runtime (`--log-format=json`): one object per line with `level`, `msg`, `time`.

Pure: text in, records out. Lines that are no JSON (crun and runc also print plain text to stderr, and a program below
them may print anything) count as plain messages, never as an error of parsing.
"""

import json
from dataclasses import dataclass

_ERROR_LEVELS = frozenset({"error", "fatal", "panic"})
"""logrus levels from error up (runc); crun writes `error` alone."""
_LONGEST = 1000
"""Characters of one message that are kept: conmon's own answer is cut at 8191 bytes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RuntimeLogRecord:
    """One line of a runtime's log."""

    level: str
    """`error`, `warning`, ...; empty for a line that is no JSON record."""
    message: str

    @property
    def is_error(self) -> bool:
        """Whether the runtime calls it an error."""
        return self.level in _ERROR_LEVELS


def parse_runtime_log(text: str) -> tuple[RuntimeLogRecord, ...]:
    """Return the records of a log, in order, empty lines left out."""
    return tuple(_parse_line(line.strip()) for line in text.splitlines() if line.strip())


def first_error(text: str) -> str:
    """Return the first error's message, else the last plain line, else an empty string.

    The first error is the cause; those after it tell how it was passed on. Where nothing is marked, the last line is
    what the program said when it gave up.
    """
    records = parse_runtime_log(text)
    for record in records:
        if record.is_error:
            return record.message
    plain = [record.message for record in records if not record.level]
    return plain[-1] if plain else ""


def _parse_line(line: str) -> RuntimeLogRecord:
    try:
        document: object = json.loads(line)
    except ValueError:
        return RuntimeLogRecord(level="", message=line[:_LONGEST])
    if not isinstance(document, dict) or not isinstance(document.get("msg"), str):
        return RuntimeLogRecord(level="", message=line[:_LONGEST])
    level = document.get("level")
    message = document["msg"].strip()[:_LONGEST]
    return RuntimeLogRecord(level=level if isinstance(level, str) else "", message=message)
