"""The policy file: for each registry prefix whether images are accepted, refused, or must be signed by given keys.

Reads text and decides by names; opens no file. Everything unknown is refused with file and line: a rule that is
misspelt would otherwise let through what it was written against.
"""

import re
import tomllib
from dataclasses import dataclass
from enum import Enum
from pathlib import PurePosixPath
from typing import NoReturn

from image.errors import InvalidArgument
from image.model.reference import Reference

MAX_FILE_BYTES = 1024 * 1024
"""More is no policy."""

_RULE_KEYS = ("prefix", "require", "keys", "identity")
_FILE_KEYS = ("default", "rule")


class Requirement(Enum):
    """What a rule asks of an image."""

    ACCEPT = "accept"
    REJECT = "reject"
    SIGNED = "signed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """What holds for all images below a prefix."""

    prefix: str
    """A host, or a host and the beginning of a repository name that ends at a slash; empty for the default."""
    require: Requirement
    keys: tuple[str, ...] = ()
    """Files of public keys; one signature by one of them is enough."""
    any_identity: bool = False
    """Accept a signature that was made for another repository, as for copies of signed images."""

    def covers(self, name: str) -> bool:
        """Tell whether the rule is for the repository `name`."""
        return name == self.prefix or name.startswith(f"{self.prefix}/")


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """All rules of a node."""

    rules: tuple[Rule, ...]
    default: Rule

    def rule_for(self, reference: Reference) -> Rule:
        """Give the rule with the longest prefix that covers the repository, else the default."""
        fitting = [rule for rule in self.rules if rule.covers(reference.name)]
        return max(fitting, key=lambda rule: len(rule.prefix), default=self.default)


ACCEPT_ALL = Policy(rules=(), default=Rule(prefix="", require=Requirement.ACCEPT))
"""The policy of a node without a policy file."""


def parse_policy(text: str, *, path: str) -> Policy:
    """Read a policy file; relative key files are looked for beside it.

    Raises:
        InvalidArgument: names the file, the line and the key.
    """
    try:
        document: dict[str, object] = tomllib.loads(text)
    except (
        ValueError,
        RecursionError,
    ) as error:  # the latter for lists in lists without end
        raise InvalidArgument(path, f"is not TOML: {error}", reason="InvalidPolicy") from error
    reading = _Reading(path, text)
    for key in document:
        if key not in _FILE_KEYS:
            reading.refuse(key, f"is not a known key; known are {', '.join(_FILE_KEYS)}")
    default = reading.requirement("default", document.get("default", "reject"))
    if default is Requirement.SIGNED:
        reading.refuse("default", "must be accept or reject; write a rule for what is signed")
    tables = document.get("rule", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        reading.refuse("rule", "must be written as [[rule]]")
    rules = tuple(reading.rule(position, table) for position, table in enumerate(tables))
    prefixes = [rule.prefix for rule in rules]
    for position, prefix in enumerate(prefixes):
        if prefix in prefixes[:position]:
            reading.refuse("prefix", f"{prefix!r} has two rules", position)
    return Policy(rules=rules, default=Rule(prefix="", require=default))


class _Reading:
    """The text of a file, to name its lines."""

    def __init__(self, path: str, text: str) -> None:
        self._path = path
        self._lines = text.splitlines()

    def refuse(self, key: str, cause: str, position: int | None = None) -> NoReturn:
        line = self._line_of(key, position)
        where = f"{self._path}:{line}" if line else self._path
        raise InvalidArgument(where, f"`{key}` {cause}", reason="InvalidPolicy")

    def _line_of(self, key: str, position: int | None) -> int:
        """Find a key of the file, or of its rule with this number; 0 when it cannot be told."""
        wanted = -1 if position is None else position
        assignment = re.compile(rf"[\"']?{re.escape(key)}[\"']?\s*[=.]|\[+\s*{re.escape(key)}\b")
        current = -1
        for number, line in enumerate(self._lines, start=1):
            if re.match(r"\s*\[\[\s*rule\s*\]\]", line):
                current += 1
            if current == wanted and assignment.match(line.strip()):
                return number
        return 0

    def requirement(self, key: str, value: object, position: int | None = None) -> Requirement:
        words = [each.value for each in Requirement]
        if value not in words:
            self.refuse(key, f"must be one of {', '.join(words)}", position)
        return Requirement(value)

    def rule(self, position: int, table: dict[str, object]) -> Rule:
        for key in table:
            if key not in _RULE_KEYS:
                known = ", ".join(_RULE_KEYS)
                self.refuse(key, f"is not a known key; known are {known}", position)
        prefix = table.get("prefix")
        if not isinstance(prefix, str) or not prefix.strip("/"):
            self.refuse("prefix", "must be a registry host, with or without a repository", position)
        require = self.requirement("require", table.get("require"), position)
        identity = table.get("identity", "repository")
        if identity not in ("repository", "any"):
            self.refuse("identity", "must be repository or any", position)
        return Rule(
            prefix=prefix.strip("/"),
            require=require,
            keys=self._keys(position, require, table.get("keys", [])),
            any_identity=identity == "any",
        )

    def _keys(self, position: int, require: Requirement, value: object) -> tuple[str, ...]:
        names = value if isinstance(value, list) else [value]
        found = tuple(name for name in names if isinstance(name, str) and name)
        if len(found) != len(names):
            self.refuse("keys", "must be a list of files", position)
        if bool(found) is not (require is Requirement.SIGNED):
            self.refuse(
                "keys", "must be given where images are to be signed, and nowhere else", position
            )
        return tuple(str(PurePosixPath(self._path).parent / name) for name in found)
