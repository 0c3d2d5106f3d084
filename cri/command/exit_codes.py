"""Exit codes of the command line; scripts rely on them. Pure constants."""

from enum import IntEnum


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
