"""The daemon's log on standard error: one line per event, as text for the journal or JSON for collectors.

Each line carries what the current call is about (`call_context`). Never blocks on a network, never rotates a file:
systemd or the container platform keeps the lines. Messages are written by their authors without secrets.
"""

import json
import logging
import sys
import time
from typing import TextIO

from cri import call_context
from cri.config import LogSettings

_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
_LIBRARIES = ("asyncio", "grpc", "grpc._cython.cygrpc", "aiohttp")


class TextLines(logging.Formatter):
    """`2026-03-01T09:14:02.120Z warning cri.daemon: message {call=12 pod=4f..}`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, with the traceback below it when there is one."""
        bound = call_context.fields()
        about = " ".join(f"{name}={value}" for name, value in bound.items())
        message = record.getMessage().replace("\n", "\n  ")
        line = f"{_timestamp(record)} {record.levelname.lower()} {record.name}: {message}"
        if about:
            line = f"{line} {{{about}}}"
        trace = _traceback(self, record)
        return f"{line}\n  {trace.replace(chr(10), chr(10) + '  ')}" if trace else line


class JsonLines(logging.Formatter):
    """One JSON object per line: time, level, logger, message, the bound fields, traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the object as one line."""
        line: dict[str, str] = {
            "time": _timestamp(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **call_context.fields(),
        }
        trace = _traceback(self, record)
        if trace:
            line["traceback"] = trace
        return json.dumps(line, ensure_ascii=False)


def set_up(settings: LogSettings, stream: TextIO | None = None) -> None:
    """Send everything that is logged in this process to `stream` (standard error), in the format of the settings."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines() if settings.format == "json" else TextLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(_LEVELS[settings.level])
    for library in _LIBRARIES:
        # Their own chatter at info and debug is about sockets, never about pods.
        logging.getLogger(library).setLevel(logging.WARNING)


def _timestamp(record: logging.LogRecord) -> str:
    seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    return f"{seconds}.{int(record.msecs):03d}Z"


def _traceback(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    return formatter.formatException(record.exc_info) if record.exc_info else ""
