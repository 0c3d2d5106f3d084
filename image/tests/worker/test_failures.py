"""Tests of the translation of what goes wrong in a worker."""

import pytest

from image.errors import ImageError, Internal, NotFound, ResourceExhausted
from image.worker.failures import as_image_error


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (NotFound("x", "y"), NotFound, "x: y"),
        (ExceptionGroup("g", [NotFound("x", "y")]), NotFound, "x: y"),
        (OSError(28, "x"), ResourceExhausted, "disk is full"),
        (OSError(5, "x"), Internal, "Input/output error"),
        (MemoryError(), ResourceExhausted, "memory"),
        (KeyError("S3CR3T"), Internal, "KeyError"),
    ],
)
def test_each_failure_is_told_without_values(
    error: BaseException, kind: type[ImageError], text: str
) -> None:
    found = as_image_error(error)
    assert type(found) is kind
    assert text in str(found)
    assert "S3CR3T" not in str(found)


def test_place_is_told() -> None:
    with pytest.raises(RuntimeError) as caught:
        raise RuntimeError("x")
    assert "test_failures.py" in as_image_error(caught.value).details[0]
