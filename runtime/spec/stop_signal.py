"""The signal that stops a container: the request's, else the image's, else SIGTERM.

Names as in signal(7) with or without SIG, any case, and numbers; real-time signals as RTMIN+N and RTMAX-N, as docker takes
them. Numbers are those of Linux and glibc, whatever system this code runs on.
"""

from runtime.errors import InvalidArgument

DEFAULT_SIGNAL = "SIGTERM"

_RTMIN, _RTMAX = 34, 64
"""What glibc leaves to programs (signal(7))."""

_ORDER = """
HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU
XFSZ VTALRM PROF WINCH IO PWR SYS
"""

_NUMBERS: dict[str, int] = {f"SIG{name}": n for n, name in enumerate(_ORDER.split(), start=1)}
_NUMBERS |= {
    "SIGIOT": _NUMBERS["SIGABRT"],
    "SIGPOLL": _NUMBERS["SIGIO"],
    "SIGCLD": _NUMBERS["SIGCHLD"],
}
_NUMBERS |= {"SIGRTMIN": _RTMIN, "SIGRTMAX": _RTMAX}
_NUMBERS |= {f"SIGRTMIN+{n}": _RTMIN + n for n in range(1, 16)}
_NUMBERS |= {f"SIGRTMAX-{n}": _RTMAX - n for n in range(1, 15)}

_NAMES = {number: name for name, number in reversed(_NUMBERS.items())}


def stop_signal(requested: str, image: str) -> str:
    """Return the name of the signal that stops a container.

    Raises:
        InvalidArgument: the request's or, without one, the image's is unknown.
    """
    chosen = requested or image
    return signal_name(chosen) if chosen else DEFAULT_SIGNAL


def signal_name(text: str) -> str:
    """Return the full name of a signal given by name or number.

    Raises:
        InvalidArgument: it is unknown.
    """
    upper = text.strip().upper()
    if upper.isascii() and upper.isdigit() and len(upper) < 4:
        upper = _NAMES.get(int(upper), upper)
    name = upper if upper.startswith("SIG") else f"SIG{upper}"
    if name not in _NUMBERS:
        raise InvalidArgument(
            "stop signal",
            f"{text[:32]!r} is not known",
            remedy="use a name of signal(7)",
            reason="UnknownSignal",
        )
    return name


def signal_number(name: str) -> int:
    """Return the number of a signal on Linux.

    Raises:
        InvalidArgument: it is unknown.
    """
    return _NUMBERS[signal_name(name)]
