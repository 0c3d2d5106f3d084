"""Signals between CRI's enum and the names of images and records."""

import pytest

from cri.api import api_pb2
from cri.translate.stop_signal import signal_name, signal_value
from runtime.errors import InvalidArgument


@pytest.mark.parametrize("number", api_pb2.Signal.values())
def test_every_value_of_cri_comes_back(number: api_pb2.Signal) -> None:
    assert signal_value(signal_name(number)) == number


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("SIGTERM", api_pb2.SIGNAL_SIGTERM),
        ("term", api_pb2.SIGNAL_SIGTERM),
        (" sigquit ", api_pb2.SIGNAL_SIGQUIT),
        ("9", api_pb2.SIGNAL_SIGKILL),
        ("SIGRTMIN+3", api_pb2.SIGNAL_SIGRTMINPLUS3),
        ("RTMAX-1", api_pb2.SIGNAL_SIGRTMAXMINUS1),
        ("37", api_pb2.SIGNAL_SIGRTMINPLUS3),
        ("SIGNOPE", api_pb2.SIGNAL_RUNTIME_DEFAULT),
        ("999", api_pb2.SIGNAL_RUNTIME_DEFAULT),
        ("", api_pb2.SIGNAL_RUNTIME_DEFAULT),
    ],
)
def test_signals_are_found_however_they_are_written(name: str, wanted: int) -> None:
    assert signal_value(name) == wanted


def test_names_have_no_enum_prefix() -> None:
    assert signal_name(api_pb2.SIGNAL_SIGRTMINPLUS15) == "SIGRTMIN+15"
    assert signal_name(api_pb2.SIGNAL_RUNTIME_DEFAULT) == ""


def test_a_number_that_cri_lacks_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="stop signal 99"):
        signal_name(99)  # type: ignore[arg-type]
