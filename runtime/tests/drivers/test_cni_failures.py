"""Several failures as one."""

from runtime.drivers.cni_failures import combined
from runtime.errors import DeadlineExceeded, Unavailable


def test_single_failure_stays_itself() -> None:
    error = Unavailable("a", "b")
    assert combined([error], joint="and") is error


def test_first_failure_gives_class_and_words_and_all_are_reachable() -> None:
    first = DeadlineExceeded("a", "b", reason="CniTimeout", program="p", details=("d",))
    second = Unavailable("c", "e")
    told = combined([first, second], joint="and undoing it failed")
    assert isinstance(told, DeadlineExceeded)
    assert str(told) == "a: b (d; and undoing it failed: c: e [Unavailable]) [CniTimeout]"
    assert isinstance(told.__cause__, ExceptionGroup)
    assert told.__cause__.exceptions == (first, second)
