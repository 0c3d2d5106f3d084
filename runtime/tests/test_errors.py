"""Errors render as one sentence with subject, cause, remedy and reason."""

import pytest

from runtime import errors


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (errors.NotFound("pod ab", "does not exist"), "pod ab: does not exist [NotFound]"),
        (
            errors.InvalidArgument("pod ab", "is odd", remedy="make it even", reason="Odd"),
            "pod ab: is odd; make it even [Odd]",
        ),
        (
            errors.Internal("x", "broke", prefix="RROUnsupported", details=("line 1", "line 2")),
            "RROUnsupported: x: broke (line 1; line 2) [Internal]",
        ),
    ],
)
def test_error_renders_its_parts(error: errors.PodRuntimeError, text: str) -> None:
    assert str(error) == text


def test_error_carries_program_and_exit_code() -> None:
    error = errors.Unavailable("create x", "failed", program="crun", exit_code=1)
    assert (error.program, error.exit_code) == ("crun", 1)
