"""/proc/PID/stat, /proc/PID/status and /proc/PID/net/dev, parsed (proc_pid_stat(5), proc_pid_status(5), proc_pid_net(5)).

Pure: bytes in, values out. A process may choose its name freely, so everything is counted from the last `)`.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class ProcessStat:
    """The fields of /proc/PID/stat that tell who a process is and whether it lives."""

    pid: int
    name: str
    state: str
    """`R`, `S`, `D`, `Z`, `X` and so on."""
    parent: int
    group: int
    session: int
    threads: int
    start_time: int
    """Clock ticks since boot."""

    @property
    def is_gone(self) -> bool:
        """Whether nothing of it runs any more. A leader that ended before its threads is a zombie that still lives."""
        return self.state in "XxZ" and self.threads <= 1


def parse_process_stat(text: bytes) -> ProcessStat:
    """Return the fields of one stat line.

    Raises:
        ValueError: it is no stat line.
    """
    try:
        pid, _, rest = text.partition(b" (")
        name, _, rest = rest.rpartition(b") ")
        fields = rest.split()
        # proc_pid_stat(5) counts from 1; fields[0] is the state, number 3.
        return ProcessStat(
            pid=int(pid),
            name=name.decode("utf-8", "surrogateescape"),
            state=fields[0].decode("ascii"),
            parent=int(fields[1]),
            group=int(fields[2]),
            session=int(fields[3]),
            threads=int(fields[17]),
            start_time=int(fields[19]),
        )
    except (ValueError, IndexError) as error:
        raise ValueError(f"not a process stat line: {text[:120]!r}") from error


def parse_status_field(text: bytes, name: str) -> str | None:
    """Return the value of one line of /proc/PID/status, None when the kernel does not tell it."""
    start = name.encode() + b":"
    for line in text.split(b"\n"):
        if line.startswith(start):
            return line[len(start) :].decode("utf-8", "surrogateescape").strip()
    return None


def parse_net_dev(text: bytes) -> tuple[tuple[str, int, int], ...]:
    """Return (interface, received bytes, sent bytes) of each line of /proc/PID/net/dev.

    Raises:
        ValueError: a line does not have the 16 counters.
    """
    found = []
    for line in text.split(b"\n")[2:]:
        name, colon, counters = line.rpartition(b":")
        if not colon:
            continue
        values = counters.split()
        if len(values) < 16:
            raise ValueError(f"not a line of net/dev: {line[:120]!r}")
        interface = name.strip().decode("utf-8", "surrogateescape")
        found.append((interface, int(values[0]), int(values[8])))
    return tuple(found)
