"""Ids and the keys of repeatable requests."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import InvalidArgument
from runtime.records.container import ContainerMetadata
from runtime.records.identifiers import container_key, new_id, resolve_prefix, sandbox_key
from runtime.records.sandbox import SandboxMetadata

IDS = ["aa11", "aa12", "bb", "bbcc"]


def test_id_is_64_hex_digits() -> None:
    assert new_id(b"\x0f" * 32) == "0f" * 32
    with pytest.raises(ValueError, match="32 random bytes"):
        new_id(b"x")


@pytest.mark.parametrize(
    ("prefix", "found"),
    [("aa11", "aa11"), ("aa12", "aa12"), ("bb", "bb"), ("bbc", "bbcc"), ("cc", None)],
)
def test_unique_prefix_or_whole_id_is_resolved(prefix: str, found: str | None) -> None:
    assert resolve_prefix(prefix, IDS) == found


@pytest.mark.parametrize(("prefix", "reason"), [("", "EmptyId"), ("a", "AmbiguousId")])
def test_empty_and_ambiguous_prefixes_are_refused(prefix: str, reason: str) -> None:
    with pytest.raises(InvalidArgument, match=reason):
        resolve_prefix(prefix, IDS)


def test_keys_are_readable() -> None:
    metadata = SandboxMetadata(name="web", namespace="default", uid="u", attempt=1)
    assert sandbox_key(metadata) == "default/web/u/1"
    assert container_key("ab", ContainerMetadata(name="c/d%", attempt=2)) == "ab/c%2Fd%25/2"


_names = st.text(alphabet="a/%", max_size=3)


@given(_names, _names, _names, _names)
def test_different_pods_have_different_keys(a: str, b: str, c: str, d: str) -> None:
    first = SandboxMetadata(name=a, namespace=b, uid="u")
    second = SandboxMetadata(name=c, namespace=d, uid="u")
    assert (sandbox_key(first) == sandbox_key(second)) is (first == second)
