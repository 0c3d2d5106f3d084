"""How pods and containers are called in messages: as their users named them, not by id."""

from runtime.lifecycle.node import Node
from runtime.records.container import ContainerConfig, ContainerRecord
from runtime.records.sandbox import SandboxRecord


def pod_name(record: SandboxRecord) -> str:
    """Return `namespace/name`."""
    return f"{record.config.metadata.namespace}/{record.config.metadata.name}"


def name_in_pod(sandbox: SandboxRecord, config: ContainerConfig) -> str:
    """Return `namespace/pod/container`."""
    return f"{pod_name(sandbox)}/{config.metadata.name}"


def container_name(node: Node, record: ContainerRecord) -> str:
    """Return `namespace/pod/container`; only the container's name when its pod is gone."""
    sandbox = node.sandboxes.get(record.sandbox_id)
    return record.config.metadata.name if sandbox is None else name_in_pod(sandbox, record.config)
