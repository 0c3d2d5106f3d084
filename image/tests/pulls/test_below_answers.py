"""What the daemon answers about layers below is bounded in time and size."""

from itertools import count

import pytest

from image.host.extraction import Attributes
from image.pulls import below_answers
from image.pulls.below_answers import answer
from image.store.below import Answers

SEEN = Answers({b"a": Attributes(xattrs={"user.a": b"1"}), b"b": Attributes()}, frozenset({b"a"}))


@pytest.mark.parametrize("about", ["directories", "names"])
def test_a_slow_disk_gives_a_short_answer(about: str) -> None:
    ticks = count(0.0, below_answers.ANSWER_SECONDS * 0.6)
    found = answer(SEEN, about, [b"a", b"b", b"c"], clock=lambda: next(ticks))[about]
    assert isinstance(found, list | str)
    assert len(found) == 2


def test_large_attributes_give_a_short_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(below_answers, "MAX_ATTRIBUTE_BYTES", 0)
    found = answer(SEEN, "directories", [b"a", b"b"], clock=lambda: 0.0)["directories"]
    assert isinstance(found, list)
    assert len(found) == 1
