"""WWW-Authenticate: what a registry wants before it answers (RFC 9110 section 11.6.1, RFC 6750 section 3).

Pure. Reads any number of challenges from any number of header lines; decides nothing about whom to trust, which is
`realm_rules`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from image.errors import FailedPrecondition

MAX_HEADER = 16 * 1024
"""All challenge lines together; aiohttp allows 8 KiB for one line by default."""

_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PARAMETER = re.compile(
    rf'({_WORD})[ \t]*=[ \t]*(?:({_WORD})(?=[ \t]*(?:,|$))|"((?:[^"\\]|\\.)*+)")'
)
_SCHEME = re.compile(rf"({_WORD})(?:[ \t]+|(?=,|$))")
_TOKEN68 = re.compile(r"[A-Za-z0-9._~+/-]+=*(?=[ \t]*(?:,|$))")
_SEPARATOR = re.compile(r"[ \t]*,[ \t,]*|[ \t]*$")  # empty list elements: RFC 9110 section 5.6.1
_QUOTED_PAIR = re.compile(r"\\(.)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Challenge:
    """One way to authenticate that the server offers."""

    scheme: str
    """Lower case: `bearer`, `basic`."""
    parameters: tuple[tuple[str, str], ...] = ()
    """Names in lower case, values unquoted."""

    def get(self, name: str) -> str:
        """Give the value of a parameter, or empty."""
        return dict(self.parameters).get(name, "")


def parse_challenges(lines: Sequence[str]) -> tuple[Challenge, ...]:
    """Read all challenges of a response, in order.

    Raises:
        FailedPrecondition: the header is too long or not of the grammar, or gives a parameter twice.
    """
    if sum(len(line) for line in lines) > MAX_HEADER:
        raise _malformed("is too long")
    return tuple(challenge for line in lines for challenge in _parse_line(line.strip(" \t")))


def choose_challenge(challenges: Sequence[Challenge]) -> Challenge | None:
    """Prefer a bearer challenge with a realm, then basic; None when neither is offered."""
    for challenge in challenges:
        if challenge.scheme == "bearer" and challenge.get("realm"):
            return challenge
    return next((challenge for challenge in challenges if challenge.scheme == "basic"), None)


def _parse_line(line: str) -> list[Challenge]:
    challenges: list[Challenge] = []
    position = _skip_commas(line)
    while position < len(line):
        found = _SCHEME.match(line, position)
        if found is None:
            raise _malformed("has no authentication scheme where one must be")
        parameters, position = _parse_parameters(line, found.end())
        challenges.append(Challenge(scheme=found[1].lower(), parameters=parameters))
    return challenges


def _parse_parameters(line: str, position: int) -> tuple[tuple[tuple[str, str], ...], int]:
    """Read `name=value` pairs until the next scheme begins; a token68 stands alone and is dropped."""
    lone = _TOKEN68.match(line, position)
    if lone is not None and _PARAMETER.match(line, position) is None:
        return (), _after_separator(line, lone.end())
    parameters: dict[str, str] = {}
    position = _skip_commas(line, position)
    while (found := _PARAMETER.match(line, position)) is not None:
        name = found[1].lower()
        if name in parameters:
            raise _malformed(f"gives {name[:60]!r} twice in one challenge")
        quoted = found[3]
        parameters[name] = found[2] if quoted is None else _QUOTED_PAIR.sub(r"\1", quoted)
        position = _after_separator(line, found.end())
    return tuple(parameters.items()), position


def _skip_commas(line: str, position: int = 0) -> int:
    found = _SEPARATOR.match(line, position)
    return found.end() if found else position


def _after_separator(line: str, position: int) -> int:
    found = _SEPARATOR.match(line, position)
    if found is None:
        raise _malformed("has text after a parameter where a comma must be")
    return found.end()


def _malformed(cause: str) -> FailedPrecondition:
    return FailedPrecondition(
        "header WWW-Authenticate", cause, remedy="report it to the registry", reason="BadChallenge"
    )
