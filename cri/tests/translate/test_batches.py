"""Parts of a stream."""

from cri.translate.batches import batches


def test_every_item_is_in_exactly_one_part() -> None:
    assert [list(part) for part in batches([1, 2, 3, 4, 5], size=2)] == [[1, 2], [3, 4], [5]]


def test_nothing_makes_no_message() -> None:
    assert list(batches([])) == []
