"""Image references: the text a user writes, and the one canonical form of it.

Pure. Follows the grammar of the distribution project (distribution-spec, "Pulling manifests") with Docker's
normalisation: `busybox` means `docker.io/library/busybox:latest`. Never looks anything up.
"""

import re
from dataclasses import dataclass

from image.errors import InvalidArgument
from image.model.digest import Digest, parse_digest

DEFAULT_DOMAIN = "docker.io"
"""The domain of a reference that names none."""
DEFAULT_TAG = "latest"
"""The tag of a reference that has neither tag nor digest (PullImage of CRI relies on it)."""

_LEGACY_DOMAIN = "index.docker.io"
_OFFICIAL_PREFIX = "library/"
_MAX_REFERENCE = 4096  # far above 255 + 128 + 135; bounds what an error message or a regex may see
_MAX_PATH = 255  # distribution: RepositoryNameTotalLengthMax

_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_DOMAIN = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]{{2,45}}\])(?::[0-9]{{1,5}})?")
_COMPONENT = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_BARE_ID = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Reference:
    """One image name: where it lives and which of its versions is meant."""

    domain: str
    """Registry host, with its port if written: `docker.io`, `localhost:5000`."""
    path: str
    """Repository inside the registry: `library/busybox`."""
    tag: str = ""
    """Empty exactly when `digest` is set."""
    digest: Digest | None = None

    @property
    def name(self) -> str:
        """Repository with its domain, without tag or digest."""
        return f"{self.domain}/{self.path}"

    @property
    def version(self) -> str:
        """What to ask the registry for: the digest, else the tag."""
        return self.digest or self.tag

    @property
    def familiar(self) -> str:
        """The short form that people type: `busybox:1.36`."""
        path = f"{self.domain}/{self.path}"
        if self.domain == DEFAULT_DOMAIN:
            rest = self.path.removeprefix(_OFFICIAL_PREFIX)
            path = self.path if "/" in rest else rest
        return path + self._suffix()

    def with_digest(self, digest: Digest) -> "Reference":
        """Give the reference of the same repository by this digest."""
        return Reference(domain=self.domain, path=self.path, digest=digest)

    def with_tag(self, tag: str) -> "Reference":
        """Give the reference of the same repository by this tag.

        Raises:
            InvalidArgument: `tag` is not a tag.
        """
        return Reference(domain=self.domain, path=self.path, tag=_checked_tag(self.name, tag))

    def __str__(self) -> str:
        return self.name + self._suffix()

    def _suffix(self) -> str:
        return f"@{self.digest}" if self.digest is not None else f":{self.tag}"


def parse_reference(text: str) -> Reference:
    """Normalise `text` as Docker and containerd do.

    A bare name gets the tag `latest`; of a tag and a digest only the digest is kept.

    Raises:
        InvalidArgument: `text` is not an image reference.
    """
    if not text or len(text) > _MAX_REFERENCE:
        raise _invalid(text, f"must have 1 to {_MAX_REFERENCE} characters")
    if _BARE_ID.fullmatch(text):
        raise _invalid(text, "is an image id, not a name", remedy="write the name of the image")
    rest, at, digest_text = text.partition("@")
    digest = parse_digest(digest_text) if at else None
    named, tag = _split_tag(rest)
    domain, path = _split_domain(text, named)
    _check_path(text, path)
    tag = _checked_tag(text, tag) if tag is not None else DEFAULT_TAG
    return Reference(domain=domain, path=path, tag="" if digest else tag, digest=digest)


def parse_bare_name(text: str) -> Reference:
    """Read the name of a repository without tag and digest; the reference has the tag `latest`.

    Raises:
        InvalidArgument: it has one, or is no name.
    """
    try:
        parse_reference(f"{text}:{DEFAULT_TAG}")
    except InvalidArgument as error:
        raise _invalid(
            text,
            "is not the name of a repository alone",
            remedy="leave out tag and digest to mean all tags",
        ) from error
    return parse_reference(text)


def is_repository(path: str) -> bool:
    """Tell whether `path` is the name of a repository inside a registry."""
    return len(path) <= _MAX_PATH and all(_COMPONENT.fullmatch(part) for part in path.split("/"))


def _split_tag(rest: str) -> tuple[str, str | None]:
    """Split at the last colon, unless a slash follows it: that colon belongs to a port."""
    named, colon, tag = rest.rpartition(":")
    if not colon or "/" in tag:
        return rest, None
    return named, tag


def _split_domain(text: str, named: str) -> tuple[str, str]:
    """Apply Docker's rule: a first part with a dot, a colon or a capital, or `localhost`, is a domain."""
    first, slash, remainder = named.partition("/")
    is_domain = bool(slash) and (
        "." in first or ":" in first or first == "localhost" or first != first.lower()
    )
    domain, path = (first, remainder) if is_domain else (DEFAULT_DOMAIN, named)
    if _DOMAIN.fullmatch(domain) is None:
        raise _invalid(text, f"has no valid registry host in {domain[:100]!r}")
    if domain == _LEGACY_DOMAIN:
        domain = DEFAULT_DOMAIN
    if domain == DEFAULT_DOMAIN and "/" not in path:
        path = _OFFICIAL_PREFIX + path
    return domain, path


def _check_path(text: str, path: str) -> None:
    if len(path) > _MAX_PATH:
        raise _invalid(text, f"has a repository name longer than {_MAX_PATH} characters")
    if path != path.lower():
        raise _invalid(text, "has capital letters in its repository name", remedy="use lower case")
    if not all(_COMPONENT.fullmatch(part) for part in path.split("/")):
        raise _invalid(
            text,
            "has a repository name with empty parts or characters other than a-z 0-9 . _ -",
            remedy="write it as HOST/NAME:TAG or HOST/NAME@DIGEST",
        )


def _checked_tag(text: str, tag: str) -> str:
    if _TAG.fullmatch(tag) is None:
        raise _invalid(
            text, f"has the tag {tag[:140]!r}, which is not 1 to 128 of A-Z a-z 0-9 _ . -"
        )
    return tag


def _invalid(text: str, cause: str, *, remedy: str = "") -> InvalidArgument:
    return InvalidArgument(
        f"image reference {text[:300]!r}", cause, remedy=remedy, reason="InvalidReference"
    )
