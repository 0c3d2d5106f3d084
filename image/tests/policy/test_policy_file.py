"""Rules are found by the longest prefix, and mistakes are told by line."""

import pytest

from image.errors import InvalidArgument
from image.model.reference import parse_reference
from image.policy.policy_file import ACCEPT_ALL, Policy, Requirement, parse_policy

PATH = "/etc/lading/policy.toml"
FULL = """
default = "reject"

[[rule]]
prefix = "r.test"
require = "accept"

[[rule]]
prefix = "r.test/team/"
require = "signed"
keys = ["team.pub", "/abs/other.pub"]

[[rule]]
prefix = "docker.io/library"
require = "signed"
keys = "hub.pub"
identity = "any"
"""


def parse(text: str) -> Policy:
    return parse_policy(text, path=PATH)


@pytest.mark.parametrize(
    ("name", "prefix", "require"),
    [
        ("r.test/x", "r.test", Requirement.ACCEPT),
        ("r.test/team", "r.test/team", Requirement.SIGNED),
        ("r.test/team/app", "r.test/team", Requirement.SIGNED),
        ("r.test/teams/app", "r.test", Requirement.ACCEPT),
        ("r.test:5000/team/app", "", Requirement.REJECT),
        ("busybox", "docker.io/library", Requirement.SIGNED),
        ("other/busybox", "", Requirement.REJECT),
    ],
)
def test_longest_prefix_that_ends_at_a_slash_decides(
    name: str, prefix: str, require: Requirement
) -> None:
    rule = parse(FULL).rule_for(parse_reference(name))
    assert (rule.prefix, rule.require) == (prefix, require)


def test_keys_are_beside_the_file() -> None:
    policy = parse(FULL)
    assert policy.rules[1].keys == ("/etc/lading/team.pub", "/abs/other.pub")
    assert policy.rules[2].keys == ("/etc/lading/hub.pub",)
    assert [rule.any_identity for rule in policy.rules] == [False, False, True]


def test_no_file_accepts_and_an_empty_one_rejects() -> None:
    reference = parse_reference("x")
    assert ACCEPT_ALL.rule_for(reference).require is Requirement.ACCEPT
    assert parse("").rule_for(reference).require is Requirement.REJECT


RULE = '[[rule]]\nprefix = "a"\nrequire = "accept"\n'


@pytest.mark.parametrize(
    ("text", "where", "words"),
    [
        ("x", PATH, "is not TOML"),
        pytest.param("a = " + "{a = " * 20_000, PATH, "is not TOML", id="deep"),
        pytest.param("a = " + "9" * 5000, PATH, "is not TOML", id="digits"),
        ("x = 1", f"{PATH}:1", "not a known key"),
        ('default = "maybe"', f"{PATH}:1", "one of accept, reject, signed"),
        ('\ndefault = "signed"', f"{PATH}:2", "accept or reject"),
        ("rule = 1", f"{PATH}:1", r"\[\[rule\]\]"),
        ("rule = [1]", f"{PATH}:1", r"\[\[rule\]\]"),
        (f'{RULE}key = "k"', f"{PATH}:4", "`key` is not a known key"),
        (f'{RULE}{RULE}key = "k"', f"{PATH}:7", "`key` is not a known key"),
        (f"{RULE}{RULE}", f"{PATH}:5", "'a' has two rules"),
        ('[[rule]]\nrequire = "accept"', PATH, "must be a registry host"),
        ('[[rule]]\nprefix = "/"\nrequire = "accept"', f"{PATH}:2", "must be a registry host"),
        ('[[rule]]\nprefix = "a"', PATH, "`require` must be one of"),
        (f"{RULE}identity = 1", f"{PATH}:4", "repository or any"),
        (f'{RULE}keys = "k"', f"{PATH}:4", "nowhere else"),
        ('[[rule]]\nprefix = "a"\nrequire = "signed"', PATH, "must be given"),
        ('[[rule]]\nprefix = "a"\nrequire = "signed"\nkeys = [1]', f"{PATH}:4", "list of files"),
    ],
)
def test_mistakes_are_refused_with_file_and_line(text: str, where: str, words: str) -> None:
    with pytest.raises(InvalidArgument, match=words) as caught:
        parse(text)
    assert caught.value.subject == where
    assert caught.value.reason == "InvalidPolicy"
