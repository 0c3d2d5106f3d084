"""Stop signals: CRI's enum to the names that records hold, and names as images write them back to the enum.

Pure mapping. Real-time signals are `SIGRTMIN+3` in images and records, `SIGNAL_SIGRTMINPLUS3` in CRI.
"""

import signal
from typing import cast

from cri.api import api_pb2
from runtime.errors import InvalidArgument

_PREFIX = "SIGNAL_"


def signal_name(number: api_pb2.Signal) -> str:
    """Return the record's name of a signal, empty when none was asked for.

    Raises:
        InvalidArgument: the number is none of CRI's.
    """
    if number == api_pb2.SIGNAL_RUNTIME_DEFAULT:
        return ""
    try:
        name = api_pb2.Signal.Name(number)
    except ValueError as error:
        raise InvalidArgument(
            f"stop signal {number}",
            "is none that CRI has",
            remedy="use a name of the Signal enum",
            reason="UnknownSignal",
        ) from error
    return name.removeprefix(_PREFIX).replace("PLUS", "+").replace("MINUS", "-")


def signal_value(name: str) -> api_pb2.Signal:
    """Return CRI's value of a signal however it is written: `SIGTERM`, `term`, `15`, `RTMIN+3`.

    A signal that CRI has no value for is told as SIGNAL_RUNTIME_DEFAULT.
    """
    text = _number_to_name(name.strip().upper())
    text = text if text.startswith("SIG") else f"SIG{text}"
    text = text.replace("+", "PLUS").replace("-", "MINUS")
    try:
        return cast(api_pb2.Signal, api_pb2.Signal.Value(f"{_PREFIX}{text}"))
    except ValueError:
        return api_pb2.SIGNAL_RUNTIME_DEFAULT


def _number_to_name(text: str) -> str:
    if not text.isdecimal():
        return text
    number = int(text)
    if signal.SIGRTMIN < number < signal.SIGRTMAX:
        return f"SIGRTMIN+{number - signal.SIGRTMIN}"
    try:
        return signal.Signals(number).name
    except ValueError:
        return text
