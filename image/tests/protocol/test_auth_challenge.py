"""Challenges are read by the grammar of RFC 9110."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from image.errors import FailedPrecondition, ImageError
from image.protocol.auth_challenge import (
    MAX_HEADER,
    Challenge,
    choose_challenge,
    parse_challenges,
)


def read(*lines: str) -> list[tuple[str, dict[str, str]]]:
    return [(one.scheme, dict(one.parameters)) for one in parse_challenges(lines)]


@pytest.mark.parametrize(
    ("line", "challenges"),
    [
        ("", []),
        (" , ,", []),
        ("Basic", [("basic", {})]),
        ('Basic realm="a b"', [("basic", {"realm": "a b"})]),
        ("Negotiate YWJj==", [("negotiate", {})]),
        ("Negotiate YWJj=, Basic realm=x", [("negotiate", {}), ("basic", {"realm": "x"})]),
        ('Negotiate, Basic realm="x"', [("negotiate", {}), ("basic", {"realm": "x"})]),
        (
            'Bearer realm="https://a/t?x=1,2",service="s",scope="repository:a/b:pull,push"',
            [
                (
                    "bearer",
                    {
                        "realm": "https://a/t?x=1,2",
                        "service": "s",
                        "scope": "repository:a/b:pull,push",
                    },
                )
            ],
        ),
        (
            'BEARER  Realm = "x" , ,SERVICE=s , basic realm="y"',
            [("bearer", {"realm": "x", "service": "s"}), ("basic", {"realm": "y"})],
        ),
        (r'Bearer realm="a\"b\\c"', [("bearer", {"realm": 'a"b\\c'})]),
        ('Bearer ,realm="x"', [("bearer", {"realm": "x"})]),
        ('Bearer realm=""', [("bearer", {"realm": ""})]),
    ],
)
def test_header_is_read_by_its_grammar(
    line: str, challenges: list[tuple[str, dict[str, str]]]
) -> None:
    assert read(line) == challenges


def test_several_lines_are_one_list() -> None:
    assert [scheme for scheme, _ in read("Basic realm=x", 'Bearer realm="y"')] == [
        "basic",
        "bearer",
    ]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('"x"', "no authentication scheme"),
        ('realm="x"', "no authentication scheme"),
        ('Bearer realm="x', "no authentication scheme|comma"),
        ('Bearer realm="x" service="y"', "comma must be"),
        ('Bearer realm="x",realm="y"', "twice"),
        ("Bearer " + "a" * MAX_HEADER, "too long"),
    ],
)
def test_what_is_not_of_the_grammar_is_refused(line: str, words: str) -> None:
    with pytest.raises(FailedPrecondition, match=words):
        parse_challenges([line])


def test_bearer_with_a_realm_is_preferred() -> None:
    bearer = Challenge(scheme="bearer", parameters=(("realm", "x"),))
    basic, bare = Challenge(scheme="basic"), Challenge(scheme="bearer")
    assert choose_challenge([basic, bare, bearer]) is bearer
    assert choose_challenge([bare, basic]) is basic
    assert choose_challenge([bare, Challenge(scheme="negotiate")]) is None


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(alphabet='Bearsic ,="\\\t:/x', max_size=40), max_size=3))
def test_any_header_is_read_or_refused(lines: list[str]) -> None:
    try:
        parse_challenges(lines)
    except ImageError:
        return


_VALUE = st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), max_size=20)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(["realm", "service", "scope"]), _VALUE, min_size=1))
def test_quoted_values_survive(parameters: dict[str, str]) -> None:
    quoted = {
        name: value.replace("\\", r"\\").replace('"', r"\"") for name, value in parameters.items()
    }
    line = "Bearer " + ", ".join(f'{name}="{value}"' for name, value in quoted.items())
    assert read(line) == [("bearer", parameters)]
