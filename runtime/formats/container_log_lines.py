"""Lines of a CRI container log: `2026-11-22T06:15:01.693379209+00:00 stdout F text`.

Pure. The form is the kubelet's (pkg/kubelet/kuberuntime/logs): RFC 3339 time with nanoseconds, stream, tags separated by
`:` of which the first is `P` (partial, more follows) or `F` (full), then the text up to the end of line.
"""

import re
from dataclasses import dataclass
from datetime import datetime

_TIME = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")
_STREAMS = (b"stdout", b"stderr")


@dataclass(frozen=True, kw_only=True, slots=True)
class ContainerLogLine:
    """One entry of the log."""

    timestamp_ns: int
    stream: str
    """`stdout` or `stderr`."""
    partial: bool
    """True when the program's line goes on in the next entry of the same stream."""
    content: bytes
    """What the program wrote, without the end of line."""


def parse_log_line(line: bytes) -> ContainerLogLine:
    """Return one entry.

    Raises:
        ValueError: the line has not the CRI form.
    """
    time, stream, tags, content = (*line.rstrip(b"\n").split(b" ", 3), b"", b"", b"", b"")[:4]
    tag = tags.split(b":", 1)[0]
    if stream not in _STREAMS or tag not in (b"P", b"F"):
        raise ValueError(f"not a line of a container log: {line[:120]!r}")
    return ContainerLogLine(
        timestamp_ns=_parse_time(time),
        stream=stream.decode(),
        partial=tag == b"P",
        content=content,
    )


def join_partial(lines: tuple[ContainerLogLine, ...]) -> tuple[ContainerLogLine, ...]:
    """Join entries that belong to one line of the program, per stream; the first one's time stays.

    conmon up to 2.1.12 writes no closing `F` when a program dies in the middle of a line: such a rest stays partial.
    """
    open_lines: dict[str, list[ContainerLogLine]] = {}
    joined: list[ContainerLogLine] = []
    for line in lines:
        parts = open_lines.setdefault(line.stream, [])
        parts.append(line)
        if not line.partial:
            joined.append(_join(open_lines.pop(line.stream)))
    joined.extend(_join(parts) for parts in open_lines.values())
    return tuple(joined)


def _join(parts: list[ContainerLogLine]) -> ContainerLogLine:
    return ContainerLogLine(
        timestamp_ns=parts[0].timestamp_ns,
        stream=parts[0].stream,
        partial=parts[-1].partial,
        content=b"".join(part.content for part in parts),
    )


def _parse_time(text: bytes) -> int:
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError(f"not a time of a container log: {text[:60]!r}")
    seconds, fraction, zone = (part.decode() for part in (found[1], found[2] or b"", found[3]))
    moment = datetime.fromisoformat(seconds + ("+00:00" if zone == "Z" else zone))
    return int(moment.timestamp()) * 1_000_000_000 + int(fraction.ljust(9, "0"))
