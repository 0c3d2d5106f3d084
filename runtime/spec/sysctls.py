"""Which kernel settings a pod may have, and which it gets."""

from runtime.records.sandbox import SandboxConfig


def pod_sysctls(config: SandboxConfig) -> tuple[tuple[str, str], ...]:
    """Return checked settings to write inside the pod's own namespaces: name with slashes (below /proc/sys) and value.

    Raises:
        InvalidArgument: a name or value is malformed, or belongs to a namespace that the pod does not own.
    """
    raise NotImplementedError
