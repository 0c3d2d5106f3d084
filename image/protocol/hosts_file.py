"""The hosts.toml of one registry, in containerd's form: its server, its mirrors and how to reach them.

Pure: text in, rules out. Every key is checked; an unknown or unusable one is refused with file and line, because a
misspelt `skip_verify` or `ca` would otherwise be found in production. Four keys are Lading's own and ignored by
containerd: `send_credentials` and `token_realms` (security rule C1), `credential_helper`, and the table `rewrite`.
"""

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import NoReturn

from image.errors import FailedPrecondition, InvalidArgument
from image.protocol.proxy_rules import is_proxy_url
from image.protocol.rewrite_rules import RewriteRule
from image.protocol.url_origin import origin_of

MAX_FILE_BYTES = 1024 * 1024
"""More is no configuration."""

_CAPABILITIES = frozenset({"pull", "resolve", "push", "referrers"})
# as Go's time.ParseDuration, but for signs
_DURATION_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h)")
_DURATION = re.compile(rf"(?:{_DURATION_PART.pattern})+|0")
_UNIT_SECONDS = {"ns": 1e-9, "us": 1e-6, "\u00b5s": 1e-6, "\u03bcs": 1e-6, "ms": 0.001}
_UNIT_SECONDS |= {"s": 1.0, "m": 60.0, "h": 3600.0}
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HELPER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


@dataclass(frozen=True, kw_only=True, slots=True)
class TlsRules:
    """How the certificate of an endpoint is checked, and which one is shown to it."""

    ca: tuple[str, ...] = ()
    """Files of certificates that are trusted besides the system's."""
    client: tuple[tuple[str, str], ...] = ()
    """Certificate and key files; the key is empty when the certificate file holds it."""
    skip_verify: bool = False
    """For this origin alone; what it redirects to is verified again."""


DEFAULT_TLS = TlsRules()
"""The system's certificates and nothing else."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HostEntry:
    """One host of the file: a mirror, or the server."""

    url: str
    """As written, with its scheme; empty for a server that keeps its default address."""
    capabilities: frozenset[str] = _CAPABILITIES
    tls: TlsRules = DEFAULT_TLS
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    override_path: bool = False
    dial_timeout: float | None = None
    proxy: str = field(default="", repr=False)
    """URL, perhaps with a password; empty for the node's own settings."""
    send_credentials: bool = False
    token_realms: tuple[str, ...] = ()
    credential_helper: str = ""
    """NAME of the program docker-credential-NAME that knows credentials for this host."""
    rewrite: tuple[RewriteRule, ...] = ()
    """How this host calls repositories."""
    place: str = field(default="", compare=False)
    """`DIRECTORY/hosts.toml:LINE` where its URL is written."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HostRules:
    """The whole file."""

    server: HostEntry = HostEntry(url="")
    hosts: tuple[HostEntry, ...] = ()
    """Mirrors in the order of the file."""


def parse_hosts_file(text: str, *, path: str) -> HostRules:
    """Read a hosts.toml.

    Args:
        text: its content.
        path: where it is; relative certificate files are looked for beside it.

    Raises:
        InvalidArgument: names the file, the line and the key.
    """
    try:
        document: dict[str, object] = tomllib.loads(text)
    except (
        ValueError,
        RecursionError,
    ) as error:  # the latter for lists in lists without end
        raise InvalidArgument(path, f"is not TOML: {error}", reason="InvalidHostsFile") from error
    tables = document.pop("host", {})
    server_url = document.pop("server", "")
    root = _Table(path=path, text=text, name="", fields=document)
    if not isinstance(server_url, str):
        root.refuse("server", "must be a URL")
    if not isinstance(tables, dict):
        root.refuse("host", 'must hold tables like [host."https://mirror"]')
    return HostRules(
        server=_read_entry(root, _checked_url(root, "server", server_url), "server"),
        hosts=tuple(_read_host(root, name, fields) for name, fields in tables.items()),
    )


@dataclass(frozen=True, kw_only=True)
class _Table:
    """One table of the file with what is needed to name a line of it."""

    path: str
    text: str
    name: str
    fields: dict[str, object]

    def refuse(self, key: str, cause: str) -> NoReturn:
        line = _line_of(self.text, self.name, key)
        where = f"{self.path}:{line}" if line else self.path
        raise InvalidArgument(where, f"`{key}` {cause}", reason="InvalidHostsFile")

    def flag(self, key: str) -> bool:
        value = self.fields.get(key, False)
        if not isinstance(value, bool):
            self.refuse(key, "must be true or false")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """Read a string or a list of strings."""
        return self.as_texts(key, self.fields.get(key, []))

    def as_texts(self, key: str, value: object) -> tuple[str, ...]:
        items = [value] if isinstance(value, str) else value
        if not isinstance(items, list):
            self.refuse(key, "must be text or a list of text")
        found = tuple(item for item in items if isinstance(item, str))
        if len(found) != len(items) or any("\x00" in item for item in found):
            self.refuse(key, "must be text or a list of text")
        return found


_KEYS = frozenset(
    {
        "capabilities",
        "ca",
        "client",
        "skip_verify",
        "header",
        "override_path",
        "dial_timeout",
        "proxy",
        "send_credentials",
        "token_realms",
        "credential_helper",
        "rewrite",
    }
)


def _read_host(root: _Table, name: str, fields: object) -> HostEntry:
    if not isinstance(fields, dict):
        root.refuse(name, 'must be a table like [host."https://mirror"]')
    table = _Table(path=root.path, text=root.text, name=name, fields=fields)
    return _read_entry(table, _checked_url(root, name, name), name)


def _read_entry(table: _Table, url: str, written: str) -> HostEntry:
    for key in table.fields:
        if key not in _KEYS:
            table.refuse(key, f"is not a known key; known are {', '.join(sorted(_KEYS))}")
    return HostEntry(
        url=url,
        place=_place_of(table, written),
        capabilities=_read_capabilities(table),
        tls=TlsRules(
            ca=tuple(_beside(table.path, name) for name in table.texts("ca")),
            client=_read_client(table),
            skip_verify=table.flag("skip_verify"),
        ),
        headers=_read_headers(table),
        override_path=table.flag("override_path"),
        dial_timeout=_read_duration(table, "dial_timeout"),
        proxy=_read_proxy(table),
        send_credentials=table.flag("send_credentials"),
        token_realms=tuple(
            _checked_url(table, "token_realms", u) for u in table.texts("token_realms")
        ),
        credential_helper=_read_helper(table),
        rewrite=_read_rewrite(table),
    )


def _place_of(table: _Table, key: str) -> str:
    """Name the line that names a host, as operators are shown it."""
    path = PurePosixPath(table.path)
    line = _line_of(table.text, "", key)
    return f"{path.parent.name}/{path.name}" + (f":{line}" if line else "")


def _checked_url(table: _Table, key: str, url: str) -> str:
    """Complete a URL by https, as containerd does, and refuse what is none."""
    if not url:
        return ""
    full = url if "://" in url else f"https://{url}"
    try:
        origin_of(full)
    except FailedPrecondition as error:
        table.refuse(key, f"is no http or https URL: {error.subject}")
    if "@" in full or "?" in full or "#" in full:
        table.refuse(key, "must be a URL without user, query and fragment")
    return full.rstrip("/")


def _read_capabilities(table: _Table) -> frozenset[str]:
    named = [word.lower() for word in table.texts("capabilities")]
    unknown = sorted(set(named) - _CAPABILITIES)
    if unknown:
        table.refuse("capabilities", f"has the unknown word {unknown[0]!r}")
    return frozenset(named) or _CAPABILITIES


def _read_client(table: _Table) -> tuple[tuple[str, str], ...]:
    """Read a file, a list of files, or a list of [certificate, key] pairs."""
    value = table.fields.get("client", [])
    pairs = []
    for item in value if isinstance(value, list) else [value]:
        names = table.as_texts("client", item)
        if not 1 <= len(names) <= 2:
            table.refuse("client", "must be files or pairs of certificate and key file")
        key_file = _beside(table.path, names[1]) if len(names) == 2 else ""
        pairs.append((_beside(table.path, names[0]), key_file))
    return tuple(pairs)


def _read_headers(table: _Table) -> tuple[tuple[str, str], ...]:
    members = table.fields.get("header", {})
    if not isinstance(members, dict):
        table.refuse("header", "must be a table of header lines")
    pairs = []
    for name, value in members.items():
        for line in table.as_texts("header", value):
            if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(line):
                table.refuse("header", "has a name or value that HTTP does not allow")
            pairs.append((name, line))
    return tuple(pairs)


def _read_helper(table: _Table) -> str:
    name = table.fields.get("credential_helper", "")
    if not isinstance(name, str) or not (name == "" or is_helper_name(name)):
        table.refuse(
            "credential_helper", "must be the NAME of a program docker-credential-NAME, no path"
        )
    return name


def is_helper_name(name: str) -> bool:
    """Tell whether `name` may be part of a program's name: no path, no option."""
    return _HELPER_NAME.fullmatch(name) is not None


def _read_rewrite(table: _Table) -> tuple[RewriteRule, ...]:
    members = table.fields.get("rewrite", {})
    if not isinstance(members, dict):
        table.refuse("rewrite", 'must be a table like "^library/(.*)" = "hub/$1"')
    rules = []
    for pattern, value in members.items():
        if not isinstance(value, str):
            table.refuse("rewrite", f"must give text for {pattern[:80]!r}")
        rule = RewriteRule(pattern=pattern, replacement=value)
        if fault := rule.fault():
            table.refuse("rewrite", fault)
        rules.append(rule)
    return tuple(rules)


def _read_proxy(table: _Table) -> str:
    """Read the URL of a proxy; containerd knows SOCKS as well, which is told and not guessed."""
    value = table.fields.get("proxy", "")
    if not isinstance(value, str):
        table.refuse("proxy", "must be a URL like http://proxy:3128")
    if value.lower().startswith(("socks5:", "socks5h:")):
        table.refuse("proxy", "is a SOCKS proxy; only http and https ones can be used")
    if value and not is_proxy_url(value):
        table.refuse("proxy", "must be an http or https URL without path, query and fragment")
    return value


def _read_duration(table: _Table, key: str) -> float | None:
    value = table.fields.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or not _DURATION.fullmatch(value):
        table.refuse(key, "must be a duration like 500ms, 3s or 1m30s")
    return sum(float(n) * _UNIT_SECONDS[unit] for n, unit in _DURATION_PART.findall(value))


def _beside(path: str, name: str) -> str:
    return str(PurePosixPath(path).parent / name)


def _line_of(text: str, table: str, key: str) -> int:
    """Find the line of `key` in the table that `table` names; 0 when it cannot be told."""
    assignment = re.compile(rf"[\"']?{re.escape(key)}[\"']?\s*[=.]")
    inside = not table
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if stripped.startswith("["):
            inside = table in stripped if table else False
            if key in stripped and (inside or not table):
                return number
        elif inside and assignment.match(stripped):
            return number
    return 0
