"""Platforms: which machine an image is for, and which entry of an index suits a wanted platform best.

Pure: the host's machine word is passed in. Spelling follows GOOS and GOARCH (image-spec, image-index.md). Never
falls from 64 to 32 bit: a node may lack the 32 bit system calls.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from image.errors import InvalidArgument, NotFound

_ARCHITECTURES = {
    "x86_64": "amd64",
    "x86-64": "amd64",
    "aarch64": "arm64",
    "i386": "386",
    "i686": "386",
    "armhf": "arm",
    "armel": "arm",
    "armv8l": "arm",
    "armv7l": "arm",
    "armv6l": "arm",
    "armv5l": "arm",
    "loongarch64": "loong64",
}
# `uname -m` and Debian words that also say a variant
_IMPLIED_VARIANTS = {"armhf": "v7", "armel": "v6", "armv8l": "v8", "armv6l": "v6", "armv5l": "v5"}
_DEFAULT_VARIANTS = {"arm": "v7", "arm64": "v8", "amd64": "v1"}
_OPERATING_SYSTEMS = {"macos": "darwin"}
_WORD = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_VARIANT = re.compile(r"v?(\d{1,3})(?:\.(\d{1,3}))?")


@dataclass(frozen=True, kw_only=True, slots=True)
class Platform:
    """An operating system on a machine, as an index entry or a request names it."""

    os: str
    architecture: str
    variant: str = ""
    os_version: str = ""
    """Windows only: `10.0.20348.2700`."""
    os_features: tuple[str, ...] = ()
    """What the host must offer, for example `win32k`."""

    def __str__(self) -> str:
        parts = (self.os, self.architecture, self.variant)
        version = f" ({self.os_version})" if self.os_version else ""
        return "/".join(part for part in parts if part) + version


class ForPlatform(Protocol):
    """Anything that says which platform it is for; a descriptor does."""

    @property
    def platform(self) -> Platform | None:
        """The platform, or None when the index does not tell."""


_Candidate = TypeVar("_Candidate", bound=ForPlatform)


def parse_platform(text: str) -> Platform:
    """Read `os/architecture[/variant]`, with the usual aliases, as `linux/arm64/v8`.

    Raises:
        InvalidArgument: not two or three words of letters, digits, `_`, `.` and `-`.
    """
    words = text.split("/")
    if len(words) not in (2, 3) or not all(_WORD.fullmatch(word) for word in words):
        raise InvalidArgument(
            f"platform {text[:200]!r}",
            "is not of the form OS/ARCHITECTURE or OS/ARCHITECTURE/VARIANT",
            remedy="write for example linux/arm64/v8",
            reason="InvalidPlatform",
        )
    variant = words[2] if len(words) == 3 else ""
    return normalise(Platform(os=words[0], architecture=words[1], variant=variant))


def host_platform(
    machine: str,
    *,
    system: str = "linux",
    os_version: str = "",
    os_features: tuple[str, ...] = (),
) -> Platform:
    """Translate the machine word of uname(2) into the platform that this host runs."""
    return normalise(
        Platform(os=system, architecture=machine, os_version=os_version, os_features=os_features)
    )


def normalise(platform: Platform) -> Platform:
    """Resolve aliases; the default variant (arm64 v8, amd64 v1) is written as none, arm's as v7."""
    machine = platform.architecture.lower()
    architecture = _ARCHITECTURES.get(machine, machine)
    variant = platform.variant.lower() or _IMPLIED_VARIANTS.get(machine, "")
    if architecture in _DEFAULT_VARIANTS:
        variant = _canonical_variant(architecture, variant)
    system = platform.os.lower()
    return Platform(
        os=_OPERATING_SYSTEMS.get(system, system),
        architecture=architecture,
        variant=variant,
        os_version=platform.os_version,
        os_features=platform.os_features,
    )


def match_platform(wanted: Platform, descriptors: Iterable[_Candidate]) -> tuple[_Candidate, ...]:
    """Give the entries that run on `wanted`, best first, equals in their own order.

    Entries that do not tell their platform come last: only their config can decide.

    Raises:
        NotFound: nothing suits; the details list what there is.
    """
    target = normalise(wanted)
    entries = tuple(descriptors)
    ranked = [(rank, entry) for entry in entries if (rank := _rank(target, entry.platform))]
    if not ranked:
        raise NotFound(
            f"platform {wanted}",
            f"no matching manifest for {wanted} in the manifest list entries",
            remedy="choose another tag, or a node of a platform that the image has",
            reason="NoMatchingPlatform",
            details=(f"it has {_list_platforms(entries)}",),
        )
    return tuple(entry for _, entry in sorted(ranked, key=lambda pair: pair[0], reverse=True))


def same_machine(one: Platform, other: Platform) -> bool:
    """Tell whether two platforms are one, versions and features of the system aside."""
    mine, theirs = normalise(one), normalise(other)
    return (mine.os, mine.architecture, mine.variant) == (
        theirs.os,
        theirs.architecture,
        theirs.variant,
    )


def os_version_suits(host: str, image: str) -> bool:
    """Tell whether a Windows image of version `image` can run on a host of version `host`.

    The first two numbers must be equal and the build not newer than the host's; an unknown version suits.
    """
    if not host or not image:
        return True
    ours, theirs = _version_numbers(host), _version_numbers(image)
    return theirs[:2] == ours[:2] and theirs[2:3] <= ours[2:3]


_Rank = tuple[int, int, tuple[int, ...]]


def _rank(target: Platform, offered: Platform | None) -> _Rank | None:
    """Order candidates: known before unknown, nearest variant, nearest os version."""
    if offered is None:
        return (0, 0, ())
    platform = normalise(offered)
    if (platform.os, platform.architecture) != (target.os, target.architecture):
        return None
    if not set(platform.os_features) <= set(target.os_features):
        return None
    variant = _variant_rank(target, platform)
    if variant is None or not os_version_suits(target.os_version, platform.os_version):
        return None
    return (1, variant, _version_numbers(platform.os_version))


def _variant_rank(target: Platform, platform: Platform) -> int | None:
    """Give the offered level if it is the wanted one or below it, None if it cannot run."""
    if platform.variant == target.variant:
        return 1_000_000
    wanted = _variant_level(target.architecture, target.variant)
    offered = _variant_level(target.architecture, platform.variant)
    if wanted is None or offered is None or offered > wanted:
        return None
    return offered


def _variant_level(architecture: str, variant: str) -> int | None:
    """Turn a variant into a number that grows with the machine: arm64 v8.2 is 8002."""
    if architecture not in _DEFAULT_VARIANTS:
        return None
    found = _VARIANT.fullmatch(variant or _DEFAULT_VARIANTS[architecture])
    return int(found[1]) * 1000 + int(found[2] or 0) if found else None


def _canonical_variant(architecture: str, variant: str) -> str:
    found = _VARIANT.fullmatch(variant)
    if found:
        variant = f"v{int(found[1])}" + (f".{int(found[2])}" if found[2] and int(found[2]) else "")
    default = _DEFAULT_VARIANTS[architecture]
    if architecture == "arm":
        return variant or default  # arm is never without a variant in the field
    return "" if variant == default else variant


def _version_numbers(version: str) -> tuple[int, ...]:
    """Give the leading numbers of a dotted version; text that is no number ends it."""
    numbers: list[int] = []
    for part in version.split("."):
        if not (part.isascii() and part.isdigit() and len(part) <= 10):
            break
        numbers.append(int(part))
    return tuple(numbers)


def _list_platforms(entries: tuple[ForPlatform, ...]) -> str:
    names = sorted({str(entry.platform) for entry in entries if entry.platform is not None})
    shown = ", ".join(names[:20])
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    return (shown + more) or "no entries"
