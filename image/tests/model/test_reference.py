"""References are normalised as Docker does, and anything else is refused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from image.errors import ImageError, InvalidArgument
from image.model.digest import parse_digest
from image.model.reference import Reference, is_repository, parse_bare_name, parse_reference

DIGEST = parse_digest("sha256:" + "ab" * 32)


@pytest.mark.parametrize(
    ("text", "canonical", "familiar"),
    [
        ("busybox", "docker.io/library/busybox:latest", "busybox:latest"),
        ("busybox:1.36", "docker.io/library/busybox:1.36", "busybox:1.36"),
        ("library/busybox", "docker.io/library/busybox:latest", "busybox:latest"),
        ("team/app", "docker.io/team/app:latest", "team/app:latest"),
        ("docker.io/app", "docker.io/library/app:latest", "app:latest"),
        ("index.docker.io/app", "docker.io/library/app:latest", "app:latest"),
        ("docker.io/library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest"),
        ("localhost/x", "localhost/x:latest", "localhost/x:latest"),
        ("localhost:5000/x", "localhost:5000/x:latest", "localhost:5000/x:latest"),
        ("Host/x", "Host/x:latest", "Host/x:latest"),
        ("quay.io/a/b__c/d--e:T_1", "quay.io/a/b__c/d--e:T_1", "quay.io/a/b__c/d--e:T_1"),
        ("[2001:db8::1]:5000/x:y", "[2001:db8::1]:5000/x:y", "[2001:db8::1]:5000/x:y"),
        (f"busybox@{DIGEST}", f"docker.io/library/busybox@{DIGEST}", f"busybox@{DIGEST}"),
        (f"busybox:1.36@{DIGEST}", f"docker.io/library/busybox@{DIGEST}", f"busybox@{DIGEST}"),
        ("a:5000", "docker.io/library/a:5000", "a:5000"),
    ],
)
def test_text_is_normalised_as_docker_does(text: str, canonical: str, familiar: str) -> None:
    reference = parse_reference(text)
    assert str(reference) == canonical
    assert reference.familiar == familiar
    assert parse_reference(canonical) == reference
    assert parse_reference(familiar) == reference


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":tag",
        "@" + DIGEST,
        "a" * 5000,
        "ab" * 32,
        "App",
        "team/App",
        "a//b",
        "/a",
        "a/",
        "-a",
        "a..b",
        "a___b",
        "a/../b",
        "http://a/b",
        "a b",
        "a\n",
        "a:",
        "a:-x",
        "a:" + "x" * 129,
        "a:b:c",
        "host.:5000/a",
        "ho_st.io/a",
        "host:port/a",
        "host.io:123456/a",
        "[::1/x.y/a",
        "a@sha256:../../x",
        f"a@{DIGEST}@{DIGEST}",
        f"a@{DIGEST}:tag",
        "quay.io/" + "a" * 256,
        "büsy",
    ],
)
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument):
        parse_reference(text)


def test_digest_wins_over_a_tag() -> None:
    reference = parse_reference(f"app:v1@{DIGEST}")
    assert (reference.tag, reference.digest, reference.version) == ("", DIGEST, DIGEST)
    assert parse_reference("app:v1").version == "v1"


def test_same_repository_by_another_version() -> None:
    reference = parse_reference("quay.io/a/b:v1")
    assert reference.name == "quay.io/a/b"
    assert str(reference.with_digest(DIGEST)) == f"quay.io/a/b@{DIGEST}"
    assert str(reference.with_tag("v2")) == "quay.io/a/b:v2"
    with pytest.raises(InvalidArgument, match="has the tag"):
        reference.with_tag("../x")


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_refused_or_stable(text: str) -> None:
    try:
        reference = parse_reference(text)
    except ImageError:
        return
    assert parse_reference(str(reference)) == reference
    assert parse_reference(reference.familiar) == reference
    assert ".." not in reference.domain.split("/")


_PART = st.from_regex(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*", fullmatch=True)


@settings(max_examples=40, deadline=None)
@given(
    domain=st.sampled_from(["docker.io", "quay.io", "localhost:5000", "h.test:443"]),
    parts=st.lists(_PART, min_size=1, max_size=4),
    tag=st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True),
)
def test_every_wellformed_reference_is_accepted(domain: str, parts: list[str], tag: str) -> None:
    path = "/".join(parts)
    if len(path) > 240:
        return
    reference = parse_reference(f"{domain}/{path}:{tag}")
    assert reference.domain == domain
    assert reference.path.endswith(path)
    assert isinstance(reference, Reference)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("team/app", True),
        ("a", True),
        ("", False),
        ("a//b", False),
        ("A", False),
        ("a" * 256, False),
    ],
)
def test_repository_names_are_told_from_others(path: str, *, expected: bool) -> None:
    assert is_repository(path) is expected


def test_bare_name_has_neither_tag_nor_digest() -> None:
    assert str(parse_bare_name("r.test:5000/team/app")) == "r.test:5000/team/app:latest"
    for text in ("app:v1", "r.test:5000/app:v1", "app@sha256:" + "a" * 64, "", "A/b:"):
        with pytest.raises(InvalidArgument, match="not the name of a repository alone"):
            parse_bare_name(text)
