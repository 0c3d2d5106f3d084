"""Tests of making names of members safe."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image.store.member_names import clean, link_target, named, shown
from image.store.tar_headers import TarError


@pytest.mark.parametrize(
    ("name", "path"),
    [(b"./a", b"a"), (b"/", b""), (b".", b""), (b"a//b/./c/", b"a/b/c"), (b"..a/.b", b"..a/.b")],
)
def test_name_is_cleaned(name: bytes, path: bytes) -> None:
    assert clean(name) == path


@given(st.binary(max_size=60))
def test_clean_names_never_point_up(name: bytes) -> None:
    try:
        path = clean(name)
    except TarError:
        return
    assert not path.startswith(b"/")
    assert not {b"", b".", b".."} & set(path.split(b"/")[: len(path)])


@pytest.mark.parametrize("name", [b"x" * 4096, b"a\0b"])
def test_impossible_path_is_refused(name: bytes) -> None:
    with pytest.raises(TarError):
        clean(name)
    with pytest.raises(TarError):
        link_target(name)


def test_only_a_directory_can_be_the_root() -> None:
    with pytest.raises(TarError):
        named(b"")
    assert named(b"a") == b"a"


def test_empty_link_target_is_refused() -> None:
    with pytest.raises(TarError):
        link_target(b"")
    assert link_target(b"../x") == b"../x"


def test_name_in_a_message_is_short_and_printable() -> None:
    assert shown(b"a\n\xff" + b"x" * 300) == "a\\n\\udcff" + "x" * 197
