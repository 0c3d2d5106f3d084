"""Paths are made clean as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.spec.path_text import clean_path, depth, is_at_or_below, is_plain_relative


@pytest.mark.parametrize(
    ("path", "clean"),
    [
        ("", "/"),
        ("/", "/"),
        ("a", "/a"),
        ("/a//b/./c/", "/a/b/c"),
        ("/a/../../b", "/b"),
        ("/..", "/"),
    ],
)
def test_path_becomes_clean(path: str, clean: str) -> None:
    assert clean_path(path) == clean


@given(st.lists(st.sampled_from(["a", "..", ".", "", "bc"])).map("/".join))
def test_clean_path_is_absolute_stable_and_without_dots(path: str) -> None:
    clean = clean_path(path)
    assert clean.startswith("/")
    assert clean_path(clean) == clean
    assert not {"..", "."} & set(clean.split("/"))


@pytest.mark.parametrize(
    ("path", "ancestor", "answer"),
    [
        ("/proc", "/proc", True),
        ("/proc/self", "/proc", True),
        ("/process", "/proc", False),
        ("/a", "/", True),
    ],
)
def test_ancestry_goes_by_parts(path: str, ancestor: str, answer: bool) -> None:
    assert is_at_or_below(path, ancestor) is answer


def test_depth_counts_parts() -> None:
    assert [depth(path) for path in ("/", "/a", "/a/b")] == [0, 1, 2]


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("a/b", True),
        ("a..b/c", True),
        ("", False),
        ("/a", False),
        ("a/../b", False),
        ("..", False),
    ],
)
def test_relative_path_stays_where_it_starts(path: str, answer: bool) -> None:
    assert is_plain_relative(path) is answer
