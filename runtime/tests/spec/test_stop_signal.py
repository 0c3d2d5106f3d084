"""Stop signals: whose, and by which name."""

import signal

import pytest

from runtime.errors import InvalidArgument
from runtime.spec.stop_signal import signal_name, signal_number, stop_signal


@pytest.mark.parametrize(
    ("requested", "image", "name"),
    [
        ("", "", "SIGTERM"),
        ("", "quit", "SIGQUIT"),
        ("SIGUSR1", "SIGQUIT", "SIGUSR1"),
        ("", "3", "SIGQUIT"),
        ("", "37", "SIGRTMIN+3"),
        ("", "RTMAX-1", "SIGRTMAX-1"),
        ("", "6", "SIGABRT"),
        ("", "17", "SIGCHLD"),
    ],
)
def test_request_wins_over_image_over_term(requested: str, image: str, name: str) -> None:
    assert stop_signal(requested, image) == name


@pytest.mark.parametrize("known", list(signal.Signals))
def test_numbers_are_those_of_linux(known: signal.Signals) -> None:
    assert signal_number(known.name) == known.value
    assert signal_number(str(known.value)) == known.value


@pytest.mark.parametrize("bad", ["SIGNOPE", "0", "65", "99999", "-9", "SIG", "SIGTERM\n;", "²"])
def test_unknown_signal_is_refused(bad: str) -> None:
    with pytest.raises(InvalidArgument, match="UnknownSignal"):
        signal_name(bad)
