"""CNI_ARGS of a pod: the five pairs that plugins for Kubernetes read.

The text is split at `;` and `=` by every plugin without any quoting, so a value that holds one of these, or a control
character, is refused and never escaped (security rule D2).
"""

from runtime.errors import InvalidArgument
from runtime.records.sandbox import SandboxMetadata


def pod_arguments(sandbox_id: str, metadata: SandboxMetadata) -> str:
    """Return the pairs in the order of containerd and ocicni.

    Raises:
        InvalidArgument: a name has a character that would end its pair.
    """
    pairs = (
        ("IgnoreUnknown", "1"),
        ("K8S_POD_NAMESPACE", metadata.namespace),
        ("K8S_POD_NAME", metadata.name),
        ("K8S_POD_INFRA_CONTAINER_ID", sandbox_id),
        ("K8S_POD_UID", metadata.uid),
    )
    return ";".join(f"{key}={_checked(key, value)}" for key, value in pairs)


def _checked(key: str, value: str) -> str:
    if any(character in ";=" or not character.isprintable() for character in value):
        raise InvalidArgument(
            f"pod {key.removeprefix('K8S_POD_').lower()} {value[:100]!r}",
            "has `;`, `=` or a control character",
            reason="BadPodName",
        )
    return value
