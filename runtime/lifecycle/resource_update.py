"""UpdateContainerResources: new limits for a container that lives, and for what is remembered of it.

Zero and empty values change nothing. What was applied is shown in ContainerStatus, which the kubelet compares after an
in-place resize. An exited container has only its record changed.
"""

from dataclasses import replace

from runtime.errors import InvalidArgument
from runtime.lifecycle.node import Node
from runtime.lifecycle.object_names import container_name
from runtime.lifecycle.operations import Operation, Ticket
from runtime.records.container import ContainerState
from runtime.records.resources import LinuxResources
from runtime.spec.resources import applicable_limits
from runtime.spec.update import updated_resources
from runtime.spec.validate_resources import check_resources
from runtime.store.changes import put_container


async def update_container(
    node: Node,
    id: str,
    resources: LinuxResources,
    annotations: tuple[tuple[str, str], ...] = (),
) -> None:
    """Apply new limits; returns when they are in force.

    Raises:
        NotFound: there is no such container.
        InvalidArgument: a limit is negative where that means nothing, or cannot be (security rule J2 for lists of CPUs).
        AlreadyExists: another update of this container is being applied.
        Internal, Unavailable: the kernel or runtime refused; the old limits stay.
    """
    record = node.container(id)
    subject = f"update {container_name(node, record)}"
    _check(resources, subject)
    # What cgroup v1 has no place for is left out, not refused: the kubelet sends it whatever the node has.
    has_unified = node.host_facts.cgroup_version == 2
    checked = resources if has_unified else replace(resources, unified=())
    check_resources(subject, checked, node.host_facts)
    ticket = Ticket(
        kind="update",
        key=record.id,
        subject=subject,
        request=resources,
        object_id=record.id,
        sandbox_id=record.sandbox_id,
    )

    async def work(operation: Operation) -> None:
        """Apply the change."""
        await _update(node, record.id, resources, operation)

    await node.operations.run(ticket, work)


async def _update(
    node: Node, container_id: str, resources: LinuxResources, operation: Operation
) -> None:
    async with node.locks.hold(container_id, operation.subject):
        record = node.container(container_id)
        live = node.live.get(container_id)
        if record.state is not ContainerState.EXITED and live is not None and live.handle:
            async with operation.stage("runtime update", node.settings.undo_step_seconds):
                await live.handle.update(_to_apply(node, record.resources, resources))
        # The container may have ended meanwhile: its newest record is the one that changes.
        current = node.container(container_id)
        changed = replace(current, resources=updated_resources(current.resources, resources))
        node.show_container(changed)
        async with operation.stage("publish", node.settings.journal_seconds):
            await node.db.commit(put_container(changed))


def _to_apply(node: Node, current: LinuxResources, change: LinuxResources) -> LinuxResources:
    """Memory plus swap follows the memory limit, or the kernel refuses a limit above it."""
    if change.memory_limit_bytes:
        swap = updated_resources(current, change).memory_swap_limit_bytes
        change = replace(change, memory_swap_limit_bytes=swap)
    return applicable_limits(change, node.host_facts)


def _check(resources: LinuxResources, subject: str) -> None:
    # -1 means unlimited for the quota and for memory plus swap (cgroup-v1 documentation).
    limits = {
        "memory limit": resources.memory_limit_bytes,
        "CPU period": resources.cpu_period_us,
        "CPU shares": resources.cpu_shares,
    }
    for name, value in limits.items():
        if value < 0:
            raise InvalidArgument(subject, f"the {name} {value} is negative", reason="BadResources")
