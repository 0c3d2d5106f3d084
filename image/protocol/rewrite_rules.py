"""Rewriting of repository names for one host: how a mirror calls what others call differently.

Pure. A rule is a prefix, or a regular expression when it begins with `^`; the first that matches is applied, once.
What comes out must be a repository name itself, since it becomes part of a URL and of a token's scope.
"""

import re
from dataclasses import dataclass

from image.errors import InvalidArgument
from image.model.reference import is_repository

_GROUP = re.compile(r"\$(?:(\d)|\{(\d{1,2})\}|\$)")


@dataclass(frozen=True, kw_only=True, slots=True)
class RewriteRule:
    """One line of a `rewrite` table."""

    pattern: str
    """A prefix, or a regular expression that begins with `^`."""
    replacement: str
    """What stands for the matched text; `$1` is a group of the expression, `$$` a dollar sign."""

    def fault(self) -> str:
        """Say what is wrong with the rule, or nothing."""
        if not self.pattern.startswith("^"):
            return "" if self.pattern else "has an empty prefix"
        try:
            groups = re.compile(self.pattern).groups
        except re.error as error:
            return f"has the unusable expression {self.pattern[:80]!r}: {error}"
        named = [int(found[1] or found[2] or 0) for found in _GROUP.finditer(self.replacement)]
        if max(named, default=0) > groups:
            return f"names group ${max(named)} and {self.pattern[:80]!r} has {groups}"
        return ""

    def apply(self, repository: str) -> str | None:
        """Give the new name, or None when the rule is for others."""
        if not self.pattern.startswith("^"):
            if not repository.startswith(self.pattern):
                return None
            return self.replacement + repository.removeprefix(self.pattern)
        found = re.search(self.pattern, repository)
        if found is None:
            return None
        new = _GROUP.sub(lambda group: _group_text(found, group), self.replacement)
        return repository[: found.start()] + new + repository[found.end() :]


def _group_text(found: re.Match[str], group: re.Match[str]) -> str:
    number = group[1] or group[2]
    return "$" if number is None else str(found[int(number)] or "")


def rewritten(repository: str, rules: tuple[RewriteRule, ...], *, host: str) -> str:
    """Give the name that `host` uses for `repository`.

    Raises:
        InvalidArgument: the rules make something that is no repository name.
    """
    for rule in rules:
        new = rule.apply(repository)
        if new is None:
            continue
        if not is_repository(new):
            raise InvalidArgument(
                f"rewrite of {repository} for {host}",
                f"gives {new[:200]!r}, which is no repository name",
                remedy="correct the rewrite table in hosts.toml",
                reason="InvalidHostsFile",
            )
        return new
    return repository
