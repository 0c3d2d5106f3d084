"""Options for the `windows` section of a spec (config-windows.md), for the Host Compute Service driver.

Each makes the section where it is missing, so a Linux container on a Windows host is told by `generate_spec` alone.
"""

from collections.abc import Iterable

from runtime.spec.document import Option, Spec, merge, put, set_value

_RESOURCES = ("windows", "resources")


def with_layer_folders(folders: Iterable[str]) -> Option:
    """Set the folders of the image's layers, the writable one last."""
    return set_value(("windows", "layerFolders"), list(folders))


def with_windows_cpu(*, count: int = 0, shares: int = 0, maximum: int = 0) -> Option:
    """Limit CPU by one of: number of CPUs, weight (0-10000), or ten-thousandths of all CPUs; 0 sets nothing."""
    values = {"count": count, "shares": shares, "maximum": maximum}
    chosen: Spec = {key: value for key, value in values.items() if value}
    return lambda spec: merge(spec, (*_RESOURCES, "cpu"), chosen)


def with_windows_memory_limit(limit_bytes: int) -> Option:
    """Limit memory; `resources.with_memory_limit` serves every platform at once."""
    return set_value((*_RESOURCES, "memory", "limit"), limit_bytes)


def with_command_line(line: str) -> Option:
    """Set the command as Windows has it, one line, in place of the argument vector."""

    def option(spec: Spec) -> Spec:
        return put(put(spec, ("process", "commandLine"), line), ("process", "args"), [])

    return option


def with_network_namespace(name: str) -> Option:
    """Set the network namespace of the Host Network Service."""
    return set_value(("windows", "network", "networkNamespace"), name)


def with_hyperv_isolation(utility_vm_path: str = "") -> Option:
    """Run in a utility VM of its own."""
    settings: Spec = {"utilityVMPath": utility_vm_path} if utility_vm_path else {}
    return set_value(("windows", "hyperv"), settings)
