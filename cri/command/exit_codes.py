"""Exit codes of the command line; scripts rely on them. One table, which each verb's help shows."""

from collections.abc import Callable
from enum import IntEnum
from typing import TypeVar

import click


class ExitCode(IntEnum):
    """How a verb ended."""

    OK = 0
    FAILED = 1
    USAGE = 2
    FINDINGS = 3
    """The verb worked and found something wrong."""
    NOT_FOUND = 4
    NO_DAEMON = 5
    DEADLINE = 6
    REFUSED = 7


_WORDS = {
    ExitCode.OK: "done",
    ExitCode.FAILED: "failed",
    ExitCode.USAGE: "wrong usage",
    ExitCode.NOT_FOUND: "not found",
    ExitCode.NO_DAEMON: "no daemon answers",
    ExitCode.DEADLINE: "not in time",
    ExitCode.REFUSED: "something keeps it",
}
_LOCAL = (ExitCode.OK, ExitCode.FAILED, ExitCode.USAGE)
_ASKS = (*_LOCAL, ExitCode.NO_DAEMON, ExitCode.DEADLINE)

Verb = TypeVar("Verb", bound=click.Command)


def exits(*more: ExitCode, findings: str = "", asks_daemon: bool = True) -> Callable[[Verb], Verb]:
    """Write into a verb's help how it can end: the usual codes, `more`, and 3 when it can find something."""
    words = {code: _WORDS[code] for code in (*(_ASKS if asks_daemon else _LOCAL), *more)}
    if findings:
        words[ExitCode.FINDINGS] = findings
    text = ", ".join(f"{int(code)} {words[code]}" for code in sorted(words))

    def document(verb: Verb) -> Verb:
        verb.epilog = f"Exit codes: {text}."
        return verb

    return document
