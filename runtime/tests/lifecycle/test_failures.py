"""One error tells everything."""

import pytest

from runtime.errors import DeadlineExceeded, Internal, InvalidArgument, NotFound, Unavailable
from runtime.lifecycle.failures import leaves, retold


def test_the_operation_is_named_and_everything_else_kept() -> None:
    error = InvalidArgument(
        "mount /x",
        "is not there",
        remedy="make it",
        reason="NoMount",
        prefix="RROUnsupported",
        program="crun",
        exit_code=3,
        details=("line",),
    )
    told = retold(error, "create default/web/app")
    assert type(told) is InvalidArgument
    assert str(told) == (
        "RROUnsupported: create default/web/app: mount /x: is not there; make it (line) [NoMount]"
    )
    assert (told.program, told.exit_code, told.__cause__) == ("crun", 3, error)


def test_what_was_told_already_stays_as_it_is() -> None:
    told = retold(NotFound("image", "is not here"), "create a")
    assert retold(told, "create a") is told


def test_the_first_of_a_group_decides_and_the_others_are_details() -> None:
    first, second = NotFound("a", "x"), Unavailable("b", "y")
    told = retold(ExceptionGroup("both", [ExceptionGroup("in", [first]), second]), "run p")
    assert type(told) is NotFound
    assert "also b: y" in str(told)
    assert leaves(ExceptionGroup("both", [first, second])) == (first, second)


def test_a_failed_clean_up_is_told_beside_the_failure() -> None:
    told = retold(NotFound("a", "x"), "run p", [Unavailable("cni DEL", "y")])
    assert "clean-up failed and will be tried again: cni DEL: y" in str(told)
    assert isinstance(told.__cause__, BaseExceptionGroup)


def test_a_fault_of_ours_is_internal_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    told = retold(KeyError("secret"), "run p")
    assert type(told) is Internal
    assert "secret" not in str(told)
    assert "run p: unexpected KeyError" in caplog.text


def test_a_bare_timeout_is_a_deadline() -> None:
    assert type(retold(TimeoutError(), "run p")) is DeadlineExceeded
