"""A mirror's own names for repositories, by prefix or expression."""

import pytest

from image.errors import InvalidArgument
from image.protocol.rewrite_rules import RewriteRule, rewritten


def rules(**pairs: str) -> tuple[RewriteRule, ...]:
    return tuple(RewriteRule(pattern=p, replacement=r) for p, r in pairs.items())


@pytest.mark.parametrize(
    ("pattern", "replacement", "repository", "expected"),
    [
        ("library/", "hub/", "library/busybox", "hub/busybox"),
        ("library/", "", "library/busybox", "busybox"),
        ("library/", "hub/", "team/app", "team/app"),
        ("^", "mirror/", "team/app", "mirror/team/app"),
        ("^([a-z]+)/(.+)$", "x/$2/${1}", "team/app", "x/app/team"),
        ("^(a)?team", "b$1", "team/app", "b/app"),
        ("^other", "x", "team/app", "team/app"),
    ],
)
def test_first_rule_that_matches_is_applied(
    pattern: str, replacement: str, repository: str, expected: str
) -> None:
    rule = RewriteRule(pattern=pattern, replacement=replacement)
    assert rule.fault() == ""
    assert rewritten(repository, (rule, *rules(team="never")), host="m") in (expected, "never/app")
    assert rewritten(repository, (rule,), host="m") == expected


def test_dollar_sign_is_written_twice_and_the_result_is_judged() -> None:
    with pytest.raises(InvalidArgument, match=r"gives '\$x', which is no repository name"):
        rewritten("team/app", (RewriteRule(pattern="^.*$", replacement="$$x"),), host="m")


@pytest.mark.parametrize(
    ("pattern", "replacement", "words"),
    [
        ("", "x", "empty prefix"),
        ("^(", "x", "unusable expression"),
        ("^(a)", "$2", "names group"),
        ("^(a)", "${12}", "names group"),
    ],
)
def test_unusable_rule_says_why(pattern: str, replacement: str, words: str) -> None:
    assert words in RewriteRule(pattern=pattern, replacement=replacement).fault()
