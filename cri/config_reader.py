"""Reads the configuration: one TOML file, then conf.d drop-ins by name, the later one winning key by key.

No file is needed. Everything wrong is found in one go and refused together, each with file, line, key and remedy; a
half-good configuration is never used. It never writes a file and never looks at the rest of the machine.
"""

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from cri.config import CHOICES, NOT_NEGATIVE, POSITIVE, HandlerSettings, Settings

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Model = TypeVar("Model", bound="DataclassInstance")

DEFAULT_FILE = Path("/etc/lading/config.toml")
"""Read when no file is named; may be missing."""
_HANDLER_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One fault of a configuration."""

    file: str
    line: int
    """From 1; 0 when the fault is of the file as a whole."""
    key: str
    reason: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place} error: {self.reason}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Configuration:
    """What reading gave: settings when there are no findings, and where each value came from."""

    settings: Settings
    files: tuple[str, ...]
    findings: tuple[Finding, ...]
    origins: Mapping[str, str]
    """Dotted key to `FILE:LINE` for each value that is not a default."""


def read_configuration(file: Path | None = None) -> Configuration:
    """Read `file` (default /etc/lading/config.toml, which may be missing) and the drop-ins in conf.d beside it."""
    main = file or DEFAULT_FILE
    reading = _Reading()
    paths = [main] if file is not None or main.exists() else []
    drop_ins = main.parent / "conf.d"
    if drop_ins.is_dir():
        paths += sorted(drop_ins.glob("*.toml"))
    for path in paths:
        reading.read(path)
    settings = reading.build()
    return Configuration(
        settings=settings if not reading.findings else Settings(),
        files=tuple(str(path) for path in paths),
        findings=tuple(reading.findings),
        origins=reading.origins,
    )


class _Reading:
    """Values and findings gathered over all files."""

    def __init__(self) -> None:
        self.values: dict[str, object] = {}
        self.origins: dict[str, str] = {}
        self.findings: list[Finding] = []

    def read(self, path: Path) -> None:
        """Take in one file."""
        try:
            text = path.read_text(encoding="utf-8")
            document = tomllib.loads(text)
        except FileNotFoundError:
            self._find(
                path,
                0,
                "",
                f"no such file; create it, or start without --config to use the defaults ({path})",
            )
        except UnicodeDecodeError:
            self._find(path, 0, "", "is not UTF-8 text; save it as UTF-8")
        except OSError as error:
            self._find(
                path, 0, "", f"cannot be read: {error.strerror}; check its type and permissions"
            )
        except (ValueError, RecursionError) as error:  # the latter for lists in lists without end
            found = re.search(r"line (\d+)", str(error))
            self._find(
                path,
                int(found[1]) if found else 0,
                "",
                f"not valid TOML: {str(error).split(' (at')[0]}",
            )
        else:
            self._take(path, text, document, Settings(), "")

    def _take(
        self, path: Path, text: str, table: Mapping[str, object], model: object, prefix: str
    ) -> None:
        """Take one table whose keys are the fields of `model`."""
        known = {each.name: each for each in fields(model)} if is_dataclass(model) else {}
        for name, value in table.items():
            key = f"{prefix}{name}"
            line = find_line(text, key)
            if name not in known:
                self._find(
                    path, line, key, f"unknown key {key}{_nearest(key, name, prefix, known)}"
                )
                continue
            inner = getattr(model, name)
            if key == "runtime.handlers":
                self._take_handlers(path, text, line, value)
            elif is_dataclass(inner):
                if isinstance(value, dict):
                    self._take(path, text, value, inner, f"{key}.")
                else:
                    self._find(path, line, key, f"{key} is a section; write it as [{key}]")
            else:
                self._take_value(path, line, key, value, inner)

    def _take_handlers(self, path: Path, text: str, line: int, value: object) -> None:
        if not isinstance(value, dict):
            self._find(
                path,
                line,
                "runtime.handlers",
                "runtime.handlers holds sections [runtime.handlers.NAME]",
            )
            return
        for name, table in value.items():
            key = f"runtime.handlers.{name}"
            at = find_line(text, key)
            if not _HANDLER_NAME.fullmatch(name):
                self._find(
                    path,
                    at,
                    key,
                    f"{key}: a handler name has lower-case letters, digits, dots and dashes",
                )
            elif isinstance(table, dict):
                self.values.setdefault(key, None)
                self._take(path, text, table, HandlerSettings(), f"{key}.")
            else:
                self._find(path, at, key, f"{key} is a section; write it as [{key}]")

    def _take_value(self, path: Path, line: int, key: str, value: object, default: object) -> None:
        wanted = _type_words(default)
        if isinstance(default, tuple):
            good = isinstance(value, list) and all(isinstance(item, str) for item in value)
            value = tuple(value) if good and isinstance(value, list) else value
        else:
            good = type(value) is type(default)
        if not good:
            self._find(path, line, key, f"{key} must be {wanted}, not {_type_words(value)}")
            return
        fault = _fault(key, value)
        if fault:
            self._find(path, line, key, f"{key} {fault}")
            return
        self.values[key] = value
        self.origins[key] = f"{path}:{line}"

    def build(self) -> Settings:
        """Make settings of all values taken so far, and check what must hold between them."""
        settings = _with_values(Settings(), self.values, "")
        streaming = settings.streaming
        if bool(streaming.tls_cert) != bool(streaming.tls_key):
            self._cross(
                "streaming.tls_cert", "tls_cert and tls_key belong together; set both or none"
            )
        handler = settings.runtime.default_handler
        if handler and handler not in settings.runtime.handlers:
            names = ", ".join(settings.runtime.handlers)
            self._cross(
                "runtime.default_handler",
                f"runtime.default_handler names no handler; known are {names}",
            )
        if settings.root == settings.state:
            self._cross("state", "root and state must be different directories")
        return settings

    def _cross(self, key: str, reason: str) -> None:
        place, _, line = self.origins.get(key, "configuration").rpartition(":")
        self.findings.append(
            Finding(
                file=place or "configuration",
                line=int(line) if place else 0,
                key=key,
                reason=reason,
            )
        )

    def _find(self, path: Path, line: int, key: str, reason: str) -> None:
        self.findings.append(Finding(file=str(path), line=line, key=key, reason=reason))


def _with_values(model: Model, values: Mapping[str, object], prefix: str) -> Model:
    """Return `model` with each field replaced that `values` has under its dotted key."""
    changes: dict[str, object] = {}
    for each in fields(model):
        key, current = f"{prefix}{each.name}", getattr(model, each.name)
        if key == "runtime.handlers":
            changes[each.name] = _handlers(current, values)
        elif is_dataclass(current) and not isinstance(current, type):
            changes[each.name] = _with_values(current, values, f"{key}.")
        elif key in values:
            changes[each.name] = values[key]
    return replace(model, **changes)


def _handlers(
    current: Mapping[str, HandlerSettings], values: Mapping[str, object]
) -> dict[str, HandlerSettings]:
    names = [
        key.split(".", 2)[2]
        for key, value in values.items()
        if key.startswith("runtime.handlers.") and value is None
    ]
    merged = {**current, **{name: current.get(name, HandlerSettings()) for name in names}}
    return {
        name: _with_values(entry, values, f"runtime.handlers.{name}.")
        for name, entry in merged.items()
    }


def _type_words(value: object) -> str:
    words = {
        bool: "true or false",
        int: "a whole number",
        str: "a text",
        list: "a list",
        tuple: "a list of texts",
    }
    return words.get(
        type(value), "a section" if isinstance(value, dict) else "another kind of value"
    )


def _fault(key: str, value: object) -> str:
    if key in CHOICES and value not in CHOICES[key]:
        return f"must be one of {', '.join(CHOICES[key])}, not {value!r}"
    if key in POSITIVE and isinstance(value, int) and value <= 0:
        return f"must be above 0, not {value}"
    if key in NOT_NEGATIVE and isinstance(value, int) and value < 0:
        return f"must be 0 or more, not {value}"
    may_be_empty = key == "runtime.containers_root" and value == ""
    if key in {"root", "state", "runtime.containers_root"} and not (
        may_be_empty or str(value).startswith("/")
    ):
        return f"must be an absolute path, not {value!r}"
    if (
        key in {"cri.address", "admin.address"}
        and value
        and not re.fullmatch(r"unix:///[^\0]+", str(value))
    ):
        return f"must have the form unix:///PATH, not {value!r}"
    if (
        key in {"streaming.address", "metrics.address"}
        and value
        and not re.fullmatch(r"\S+:\d{1,5}", str(value))
    ):
        return f"must have the form HOST:PORT, not {value!r}"
    if isinstance(value, str) and "\0" in value:
        return "must not contain a NUL character"
    return ""


def _nearest(key: str, name: str, prefix: str, known: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {prefix}{close[0]}?"
    everywhere = difflib.get_close_matches(key, list(_all_keys()), n=1, cutoff=0.6)
    return (
        f"; did you mean {everywhere[0]}?"
        if everywhere
        else f"; known here are {', '.join(sorted(known))}"
    )


def _all_keys() -> Iterator[str]:
    for each in fields(Settings):
        section = getattr(Settings(), each.name)
        yield each.name
        if is_dataclass(section):
            yield from (f"{each.name}.{inner.name}" for inner in fields(section))


def find_line(text: str, key: str) -> int:
    """Return the line, from 1, on which a dotted key is set or its section begins; 0 when it cannot be told."""
    parts = key.split(".")
    section: list[str] = []
    near = 0  # the section or inline table that holds the key
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*\[\s*([^\[\]]+?)\s*\]", line)
        if header:
            section = [part.strip().strip("\"'") for part in header[1].split(".")]
            if section[: len(parts)] == parts:
                return number
            continue
        assigned = re.match(r"\s*([A-Za-z0-9_.\-\"' ]+?)\s*=", line)
        if assigned:
            full = section + [part.strip().strip("\"'") for part in assigned[1].split(".")]
            if full[: len(parts)] == parts:
                return number
            if parts[: len(full)] == full:
                near = near or number
    return near
