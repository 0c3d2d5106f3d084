"""What CNI plugins print: results and errors, parsed strictly.

Pure: bytes in, values out (CNI specification 0.3.0 to 1.1.0, section 5). Plugins are not trusted with the form of their
output: what does not fit is refused with the field's name, and never taken for an address.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_interface
from typing import Literal

from runtime.formats.cni_config import Json, is_object

IpPreference = Literal["ipv4", "ipv6", "cni"]
"""Which family is a pod's first address: containerd's ip_pref. `cni` keeps the plugin's order."""

TRY_AGAIN_LATER = 11
"""Error code for "the same call may work later"; 50 and 51 are those of STATUS."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CniResult:
    """The result of ADD."""

    addresses: tuple[str, ...]
    """Addresses of the pod's own interface without prefix length, as the plugin ordered them."""
    document: Json
    """The object as printed: the next plugin's prevResult."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CniError:
    """An error object, as plugins print it on stdout."""

    code: int
    message: str
    details: str


def parse_result(output: str | bytes, interface: str) -> CniResult:
    """Return the result that a plugin printed; `interface` is the pod's interface (CNI_IFNAME).

    Raises:
        ValueError: it is no result; the message says which field and why.
    """
    document = _load(output)
    interfaces = _objects(document, "interfaces")
    addresses = [
        address
        for number, entry in enumerate(_objects(document, "ips"))
        if (address := _address(entry, number, interfaces, interface))
    ]
    return CniResult(addresses=tuple(addresses), document=document)


def parse_error(output: str | bytes) -> CniError | None:
    """Return the error that a failed plugin printed, None when it printed something else."""
    try:
        document = _load(output)
    except ValueError:
        return None
    code, message = document.get("code"), document.get("msg")
    if not isinstance(code, int) or not isinstance(message, str):
        return None
    details = document.get("details")
    return CniError(code=code, message=message, details=details if isinstance(details, str) else "")


def order_addresses(addresses: Sequence[str], preference: IpPreference) -> tuple[str, ...]:
    """Return the addresses with the preferred family's first one in front, the others in order."""
    if preference == "cni":
        return tuple(addresses)
    wanted = 4 if preference == "ipv4" else 6
    first = next((text for text in addresses if ip_interface(text).version == wanted), None)
    if first is None:
        return tuple(addresses)
    return (first, *(text for text in addresses if text != first))


def _load(output: str | bytes) -> Json:
    if not output.strip():
        raise ValueError("it printed nothing")
    try:
        document: object = json.loads(output)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it did not print JSON: {error}") from error
    if not is_object(document):
        raise ValueError("it did not print a JSON object")
    return document


def _objects(document: Json, key: str) -> list[Json]:
    value = document.get(key)
    if value is None:
        return []
    if not isinstance(value, list) or not all(is_object(entry) for entry in value):
        raise ValueError(f"{key} is not a list of objects")
    return value


def _address(entry: Json, number: int, interfaces: list[Json], wanted: str) -> str:
    try:
        address = ip_interface(str(entry.get("address"))).ip
    except ValueError as error:
        raise ValueError(f"ips[{number}].address is not an IP address") from error
    index = entry.get("interface")
    if index is None:
        return str(address)
    if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < len(interfaces):
        raise ValueError(f"ips[{number}].interface is not the number of an interface")
    owner = interfaces[index]
    # An address of the host's side (no sandbox) or of a second interface is not the pod's own.
    is_own = bool(owner.get("sandbox")) and owner.get("name", wanted) == wanted
    return str(address) if is_own else ""
