"""Platforms are spelled one way, and the best entry of an index comes first."""

import pytest

from image.errors import InvalidArgument, NotFound
from image.model.descriptor import Descriptor
from image.model.digest import sha256_digest
from image.model.platform import (
    Platform,
    host_platform,
    match_platform,
    normalise,
    os_version_suits,
    parse_platform,
    same_machine,
)


def entry(text: str | None, *, version: str = "", features: tuple[str, ...] = ()) -> Descriptor:
    platform = None
    if text is not None:
        system, architecture, *variant = text.split("/")
        platform = Platform(
            os=system,
            architecture=architecture,
            variant=variant[0] if variant else "",
            os_version=version,
            os_features=features,
        )
    digest = sha256_digest(f"{text} {version} {features}".encode())
    return Descriptor(media_type="m", digest=digest, size=1, platform=platform)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("linux/amd64", "linux/amd64"),
        ("linux/x86_64", "linux/amd64"),
        ("linux/x86-64/v1", "linux/amd64"),
        ("linux/amd64/v3", "linux/amd64/v3"),
        ("Linux/AArch64", "linux/arm64"),
        ("linux/arm64/v8", "linux/arm64"),
        ("linux/arm64/8", "linux/arm64"),
        ("linux/arm64/v8.0", "linux/arm64"),
        ("linux/arm64/v8.2", "linux/arm64/v8.2"),
        ("linux/arm", "linux/arm/v7"),
        ("linux/armhf", "linux/arm/v7"),
        ("linux/armel", "linux/arm/v6"),
        ("linux/arm/6", "linux/arm/v6"),
        ("linux/arm/odd", "linux/arm/odd"),
        ("linux/i386", "linux/386"),
        ("macos/arm64", "darwin/arm64"),
        ("linux/riscv64/x", "linux/riscv64/x"),
    ],
)
def test_platform_text_is_normalised(text: str, shown: str) -> None:
    assert str(parse_platform(text)) == shown


@pytest.mark.parametrize("text", ["", "linux", "linux/", "a/b/c/d", "linux/amd64/ü", "a b/c"])
def test_bad_platform_text_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument, match="OS/ARCHITECTURE"):
        parse_platform(text)


def test_machine_word_becomes_the_platform_of_the_host() -> None:
    assert host_platform("x86_64") == Platform(os="linux", architecture="amd64")
    assert host_platform("armv7l") == Platform(os="linux", architecture="arm", variant="v7")
    windows = host_platform("AMD64", system="windows", os_version="10.0.20348.1")
    assert str(windows) == "windows/amd64 (10.0.20348.1)"


@pytest.mark.parametrize(
    ("wanted", "offered", "best_first"),
    [
        ("linux/arm64/v8", ["linux/amd64", "linux/arm64"], ["linux/arm64"]),
        ("linux/arm64", ["linux/arm64/v8"], ["linux/arm64/v8"]),
        ("linux/arm64/v9", ["linux/arm64", "linux/arm64/v9"], ["linux/arm64/v9", "linux/arm64"]),
        (
            "linux/arm/v7",
            ["linux/arm/v5", "linux/arm/v8", "linux/arm/v7", "linux/arm/v6"],
            ["linux/arm/v7", "linux/arm/v6", "linux/arm/v5"],
        ),
        (
            "linux/amd64/v3",
            ["linux/amd64", "linux/amd64/v2", "linux/amd64/v4", "linux/amd64/v3"],
            ["linux/amd64/v3", "linux/amd64/v2", "linux/amd64"],
        ),
        ("linux/amd64", ["linux/amd64/v2", "linux/amd64"], ["linux/amd64"]),
        ("linux/amd64", ["linux/amd64/strange", "linux/amd64"], ["linux/amd64"]),
        ("linux/mips/a", ["linux/mips/b", "linux/mips/a"], ["linux/mips/a"]),
        ("linux/amd64", ["unknown/unknown", "linux/x86_64"], ["linux/x86_64"]),
    ],
)
def test_best_variant_comes_first(wanted: str, offered: list[str], best_first: list[str]) -> None:
    found = match_platform(parse_platform(wanted), [entry(text) for text in offered])
    assert [str(one.platform) for one in found] == best_first


def test_equals_keep_their_order_and_the_unknown_come_last() -> None:
    first, second = entry("linux/amd64"), entry("linux/x86_64")
    unknown = entry(None)
    found = match_platform(parse_platform("linux/amd64"), [unknown, first, second])
    assert found == (first, second, unknown)


def test_error_lists_what_there_is() -> None:
    entries = [entry(f"linux/cpu{n:02}") for n in range(25)]
    with pytest.raises(NotFound) as caught:
        match_platform(parse_platform("linux/arm64/v8"), entries)
    text = str(caught.value)
    assert "no matching manifest for linux/arm64 in the manifest list entries" in text
    assert "linux/cpu00, linux/cpu01" in text
    assert "and 5 more" in text
    with pytest.raises(NotFound, match="it has no entries"):
        match_platform(parse_platform("linux/arm64"), [])


def test_windows_takes_the_newest_build_that_is_not_newer_than_the_host() -> None:
    builds = ["10.0.17763.1", "10.0.20348.9", "10.0.20348.5", "10.0.26100.1", "9.0.20348"]
    entries = [entry("windows/amd64", version=build) for build in builds]
    wanted = host_platform("amd64", system="windows", os_version="10.0.20348.700")
    found = match_platform(wanted, entries)
    assert [one.platform.os_version for one in found if one.platform] == [
        "10.0.20348.9",
        "10.0.20348.5",
        "10.0.17763.1",
    ]


def test_required_features_must_be_there() -> None:
    plain = entry("windows/amd64")
    full = entry("windows/amd64", features=("win32k",))
    nano = host_platform("amd64", system="windows")
    assert match_platform(nano, [full, plain]) == (plain,)
    server = host_platform("amd64", system="windows", os_features=("win32k",))
    assert match_platform(server, [full, plain]) == (full, plain)


@pytest.mark.parametrize(
    ("host", "image", "suits"),
    [
        ("", "10.0.1", True),
        ("10.0.1", "", True),
        ("10.0.2", "10.0.1", True),
        ("10.0.1", "10.0.2", False),
        ("10.1.1", "10.0.1", False),
        ("10.0.5.1", "10.0.5.9", True),
        ("10.0.x", "10.0.5", False),
        ("10.0.99999999999", "10.0.5", False),
    ],
)
def test_windows_versions_are_compared_by_number(host: str, image: str, suits: bool) -> None:
    assert os_version_suits(host, image) is suits


def test_normalising_twice_changes_nothing() -> None:
    for text in ("linux/armhf", "linux/arm64/8", "linux/amd64/v2", "macos/x86_64"):
        once = parse_platform(text)
        assert normalise(once) == once


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("linux/amd64", "linux/x86_64", True),
        ("linux/arm64", "linux/arm64/v8", True),
        ("linux/arm/v7", "linux/arm/v6", False),
        ("linux/amd64", "windows/amd64", False),
    ],
)
def test_same_machine_is_known_by_all_its_names(one: str, other: str, *, expected: bool) -> None:
    assert same_machine(parse_platform(one), parse_platform(other)) is expected
