"""Renders settings as TOML text and as lines for people; secrets become `***`. Pure: values in, text out."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass

from cri.config import HandlerSettings, Settings, flatten


def default_file() -> str:
    """Return a configuration file with every key at its default, commented out, each with the reason for it."""
    lines = [
        "# Every setting of Lading with its default. Uncomment what you change; no line is needed.",
        "",
    ]
    settings = Settings()
    for each in fields(settings):
        value = getattr(settings, each.name)
        if not is_dataclass(value):
            lines += [f"# {each.metadata['reason']}", f"#{each.name} = {_toml(value)}"]
    for each in fields(settings):
        section = getattr(settings, each.name)
        if is_dataclass(section):
            lines += ["", f"[{each.name}]", *_section(section)]
    lines += [
        "",
        "# One section per OCI runtime, named as the RuntimeClass's handler; crun and runc need none.",
    ]
    lines += ["#[runtime.handlers.NAME]", *_section(HandlerSettings())]
    return "\n".join(lines) + "\n"


def _section(section: object) -> Iterator[str]:
    for each in fields(section) if is_dataclass(section) else ():
        value = getattr(section, each.name)
        if not isinstance(value, dict):
            yield f"# {each.metadata['reason']}"
            yield f"#{each.name} = {_toml(value)}"


def _toml(value: object) -> str:
    # TOML's basic strings, booleans, integers and arrays of strings are written as in JSON (toml.io, v1.0.0).
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)


def shown_values(settings: Settings) -> dict[str, object]:
    """Return every setting under its dotted key, secrets as `***`."""
    secret = _secret_keys()
    return {
        key: "***"
        if key in secret and value
        else list(value)
        if isinstance(value, tuple)
        else value
        for key, value in flatten(settings).items()
    }


def _secret_keys() -> frozenset[str]:
    settings = Settings()
    return frozenset(
        f"{each.name}.{inner.name}"
        for each in fields(settings)
        if is_dataclass(getattr(settings, each.name))
        for inner in fields(getattr(settings, each.name))
        if inner.metadata.get("secret")
    )


def value_lines(
    settings: Settings, origins: Mapping[str, str], *, changed_only: bool
) -> Iterator[str]:
    """Yield `key = value (origin)` for each setting, or for those that are not at their default."""
    for key, value in shown_values(settings).items():
        origin = origins.get(key, "default")
        if not (changed_only and origin == "default"):
            yield f"{key} = {value if value == '***' else _toml(value)} ({origin})"
