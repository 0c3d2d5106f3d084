"""The verb `status`: is the node ready, why not, and what does it do now. Answers from memory."""

import os
import time

from cri.admin.arguments import Arguments
from cri.admin.operations import all_operations
from cri.admin.parts import AdminParts
from cri.admin.texts import rfc3339, seconds
from runtime.records.container import ContainerState
from runtime.records.sandbox import SandboxState


async def status(parts: AdminParts, arguments: Arguments) -> dict[str, object]:
    """Answer `status`."""
    arguments.finish()
    conditions = parts.conditions()
    ready = all(one.ready for one in conditions)
    operations = all_operations(parts)
    return {
        "schema": "lading.status/v1",
        "verdict": "ready" if ready else "not ready",
        "conditions": [
            {
                "type": one.type,
                "ready": one.ready,
                "reason": one.reason,
                "message": one.message,
                "since": rfc3339(one.since_ns),
                "seconds": seconds((time.time_ns() - one.since_ns) / 1e9) if one.since_ns else 0,
            }
            for one in conditions
        ],
        "counts": _counts(parts),
        "operations": {
            "running": len(operations),
            "oldest_seconds": max((seconds(one.age_seconds) for one in operations), default=0),
            "stuck": sum(one.stuck for one in operations),
        },
        "cleanups_pending": len(parts.node.pending),
        "store": _store(parts),
        "uptime_seconds": seconds((time.time_ns() - parts.started_ns) / 1e9),
    }


def _counts(parts: AdminParts) -> dict[str, int]:
    node = parts.node
    containers = node.containers.values()
    return {
        "pods": len(node.sandboxes),
        "pods_ready": sum(one.state is SandboxState.READY for one in node.sandboxes.values()),
        "pods_starting": sum(one.ticket.kind == "run" for one in node.operations.running()),
        "containers": len(node.containers),
        "containers_running": sum(one.state is ContainerState.RUNNING for one in containers),
        "images": len(parts.store.list_images()),
        "pulls": len(parts.puller.pulls()),
    }


def _store(parts: AdminParts) -> dict[str, object]:
    filesystem = os.statvfs(parts.store.root)
    return {
        "path": str(parts.store.root),
        "used_bytes": sum(parts.store.bytes_by_kind().values()),
        "free_bytes": filesystem.f_bavail * filesystem.f_frsize,
        "size_bytes": filesystem.f_blocks * filesystem.f_frsize,
        "reclaimable_bytes": parts.facts.reclaimable_bytes,
        "damaged_layers": parts.facts.damaged_layers,
    }
