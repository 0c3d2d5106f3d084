"""Words exchanged with conmon: its sync-pipe answer, exit files, control lines, attach packets.

Pure. Facts are from conmon 2.1.6 to 2.1.13 (src/conmon.c, src/ctrl.c, src/conn_sock.c) and were verified by running.
"""

import json
from dataclasses import dataclass
from enum import IntEnum

REOPEN_LOG = b"2 0 0\n"
"""Makes conmon open PATH.tmp and rename it over PATH (src/ctrl.c, REOPEN_LOG_EVENT)."""
LONGEST_INPUT = 32768
"""Bytes of one attach packet that conmon reads (CONN_SOCK_BUF_SIZE); more is cut without a word."""
LONGEST_OUTPUT = 8193
"""Bytes of one attach packet that conmon sends: a stream byte and at most STDIO_BUF_SIZE."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CreateAnswer:
    """The one line that conmon writes to the sync pipe after the runtime's create."""

    pid: int
    """The container's first process; 0 when create failed."""
    message: str = ""
    """What the runtime said when it failed."""


class AttachStream(IntEnum):
    """First byte of each packet from the attach socket (a terminal sends STDOUT alone)."""

    STDOUT = 2
    STDERR = 3


def parse_create_answer(text: bytes) -> CreateAnswer | None:
    """Return the answer, None when the pipe was closed without one.

    A bare end of file means that conmon died, or (up to 2.1.13) that the runtime failed without a word.

    Raises:
        ValueError: the line is no answer of conmon.
    """
    line = text.strip()
    if not line:
        return None
    try:
        document: object = json.loads(line.splitlines()[0])
    except ValueError as error:
        raise ValueError(f"the monitor's answer is no JSON: {line[:200]!r}") from error
    if not isinstance(document, dict) or not isinstance(document.get("pid"), int):
        raise ValueError(f"the monitor's answer has no pid: {line[:200]!r}")
    message = document.get("message")
    return CreateAnswer(
        pid=max(document["pid"], 0), message=message if isinstance(message, str) else ""
    )


def parse_exit_code(text: bytes) -> int:
    """Return the code of an exit file: decimal text; -1 (conmon could not tell) becomes 255.

    Raises:
        ValueError: it is no number.
    """
    code = int(text.strip())
    return code if 0 <= code <= 255 else 255


def is_exit_file(name: str) -> bool:
    """Tell an exit file from a half-written one, which glib names `ID.XXXXXX` (g_file_set_contents)."""
    return bool(name) and "." not in name


def resize_line(width: int, height: int) -> bytes:
    """Return the control line that sets a terminal's size."""
    return b"1 %d %d\n" % (height, width)


def split_input(data: bytes) -> tuple[bytes, ...]:
    """Cut input into packets that conmon reads whole; none is empty, because an empty one means end of input."""
    return tuple(data[at : at + LONGEST_INPUT] for at in range(0, len(data), LONGEST_INPUT))


def parse_output(packet: bytes) -> tuple[AttachStream, bytes]:
    """Return stream and content of one packet from the attach socket.

    Raises:
        ValueError: the packet is empty or of an unknown stream.
    """
    if not packet:
        raise ValueError("an attach packet is empty")
    return AttachStream(packet[0]), packet[1:]
