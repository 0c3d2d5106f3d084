"""Answers are what was asked for."""

from image.host.extraction import Attributes
from image.store.below import Answers, Questions


def test_what_was_not_asked_is_not_there() -> None:
    answers = Answers({b"d": Attributes(uid=5)}, frozenset({b"f"}))
    assert answers.directory_attributes(b"d") == Attributes(uid=5)
    assert answers.directory_attributes(b"e") is None
    assert answers.exists(b"f")
    assert not answers.exists(b"d")
    assert Questions() == Questions((), ())
