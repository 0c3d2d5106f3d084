"""CNI network configurations: files read strictly, and what each plugin is given on stdin.

Pure: text in, values out (CNI specification 0.3.0 to 1.1.0, sections 1 and 3). A configuration is only ever refused, never
repaired: the message names the field. Plugin types are plain names, so that no configuration can point outside the
plugin directories (security rule I1).
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeGuard

SUPPORTED_VERSIONS = ("0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0")
"""Oldest first."""

CONFIGURATION_LIMIT = 1 << 20
"""Bytes of one configuration file; libcni has no limit, the largest in use are a few KiB."""

_NETWORK_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_PLUGIN_TYPE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")

Json = Mapping[str, object]


@dataclass(frozen=True, kw_only=True, slots=True)
class PluginConfiguration:
    """One plugin of a list."""

    type: str
    capabilities: frozenset[str]
    """What runtimeConfig it may be given."""
    ipam_type: str
    """The plugin that it will run for addresses, empty for none."""
    content: Json
    """The object as written."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkConfiguration:
    """A network: plugins to run one after the other."""

    name: str
    version: str
    """The newest version that the file and we know."""
    disable_check: bool
    plugins: tuple[PluginConfiguration, ...]
    text: str
    """Normal form as a list, to be stored and parsed again."""

    def at_least(self, version: str) -> bool:
        """Tell whether the network speaks `version`, one of SUPPORTED_VERSIONS, or later."""
        return SUPPORTED_VERSIONS.index(self.version) >= SUPPORTED_VERSIONS.index(version)

    def program_names(self) -> tuple[str, ...]:
        """Return every program that the network needs, without repeats."""
        names = [name for plugin in self.plugins for name in (plugin.type, plugin.ipam_type)]
        return tuple(dict.fromkeys(name for name in names if name))


def parse_configuration(text: str | bytes) -> NetworkConfiguration:
    """Return the network that a .conflist, or a .conf with a single plugin, describes.

    Raises:
        ValueError: it is not usable; the message says which field and why.
    """
    document = _load(text)
    name = document.get("name")
    if not isinstance(name, str) or not _NETWORK_NAME.fullmatch(name):
        raise ValueError("name is missing or not of letters, digits, `_`, `.` and `-`")
    entries = document.get("plugins")
    if entries is None and "type" in document:
        entries = [document]
    if not isinstance(entries, list) or not entries:
        raise ValueError("plugins is missing or empty")
    plugins = tuple(_plugin(entry, number) for number, entry in enumerate(entries))
    version = _version(document)
    disable_check = document.get("disableCheck") is True
    return NetworkConfiguration(
        name=name,
        version=version,
        disable_check=disable_check,
        plugins=plugins,
        text=_normal_form(name, version, disable_check=disable_check, plugins=plugins),
    )


def plugin_input(
    network: NetworkConfiguration,
    plugin: PluginConfiguration,
    *,
    capability_arguments: Mapping[str, object],
    previous_result: Json | None,
) -> bytes:
    """Return what one plugin reads on stdin (specification, section 3, "deriving request configuration").

    It gets those `capability_arguments` alone that it declares.
    """
    document = {key: value for key, value in plugin.content.items() if key not in _REPLACED}
    document["name"] = network.name
    document["cniVersion"] = network.version
    granted = {
        key: value for key, value in capability_arguments.items() if key in plugin.capabilities
    }
    if granted:
        document["runtimeConfig"] = granted
    if previous_result is not None:
        document["prevResult"] = previous_result
    return json.dumps(document, separators=(",", ":")).encode()


_REPLACED = frozenset(("capabilities", "runtimeConfig", "prevResult", "cniVersions", "plugins"))


def is_object(value: object) -> TypeGuard[Json]:
    """Tell whether a JSON value is an object."""
    return isinstance(value, dict)


def _load(text: str | bytes) -> Json:
    if len(text) > CONFIGURATION_LIMIT:
        raise ValueError(f"it is larger than {CONFIGURATION_LIMIT} bytes")
    try:
        document: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it is not JSON: {error}") from error
    if not is_object(document):
        raise ValueError("it is not a JSON object")
    return document


def _version(document: Json) -> str:
    told = document.get("cniVersions", [])
    versions = list(told) if isinstance(told, Sequence) and not isinstance(told, str) else [told]
    if "cniVersion" in document or not versions:
        # An absent version means 0.1.0 to libcni, which nothing speaks any more.
        versions.append(document.get("cniVersion", "0.1.0"))
    usable = [version for version in SUPPORTED_VERSIONS if version in versions]
    if not usable:
        shown = ", ".join(str(version)[:20] for version in versions[:4])
        raise ValueError(f"cniVersion {shown} is none of {', '.join(SUPPORTED_VERSIONS)}")
    return usable[-1]


def _plugin(entry: object, number: int) -> PluginConfiguration:
    if not is_object(entry):
        raise ValueError(f"plugins[{number}] is not an object")
    declared = entry.get("capabilities", {})
    if not is_object(declared):
        raise ValueError(f"plugins[{number}].capabilities is not an object")
    ipam = entry.get("ipam", {})
    ipam_type = ipam.get("type", "") if is_object(ipam) else ""
    return PluginConfiguration(
        type=_plain_name(entry.get("type"), f"plugins[{number}].type"),
        capabilities=frozenset(key for key, value in declared.items() if value is True),
        ipam_type=_plain_name(ipam_type, f"plugins[{number}].ipam.type") if ipam_type else "",
        content=entry,
    )


def _plain_name(value: object, place: str) -> str:
    if not isinstance(value, str) or not _PLUGIN_TYPE.fullmatch(value):
        shown = json.dumps(value)[:80]
        raise ValueError(f"{place} is {shown}, not the plain name of a plugin")
    return value


def _normal_form(
    name: str, version: str, *, disable_check: bool, plugins: tuple[PluginConfiguration, ...]
) -> str:
    document: dict[str, object] = {"cniVersion": version, "name": name}
    if disable_check:
        document["disableCheck"] = True
    document["plugins"] = [plugin.content for plugin in plugins]
    return json.dumps(document, separators=(",", ":"))
