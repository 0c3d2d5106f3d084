"""Errors say subject, cause, remedy and reason in one line."""

from image.errors import ImageError, NotFound


def test_error_reads_as_one_sentence() -> None:
    assert str(NotFound("app:v1", "is not here")) == "app:v1: is not here [NotFound]"
    full = NotFound("app:v1", "is not here", remedy="pull it", reason="Gone", details=("a", "b"))
    assert str(full) == "app:v1: is not here; pull it (a; b) [Gone]"


def test_every_class_is_one_of_ours() -> None:
    assert len(ImageError.__subclasses__()) == 9
