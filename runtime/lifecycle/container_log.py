"""ReopenContainerLog: go on writing in a new file after the kubelet has moved the old one away."""

from runtime.lifecycle.container_exec import running_handle
from runtime.lifecycle.failures import retold
from runtime.lifecycle.node import Node
from runtime.lifecycle.object_names import container_name


async def reopen_log(node: Node, id: str) -> None:
    """Reopen a running container's log; the new file exists when this returns.

    Raises:
        NotFound: there is no such container.
        FailedPrecondition: it is not running, or the log was replaced by a link.
    """
    handle = running_handle(node, id, "reopen log of")
    record = node.container(id)
    subject = f"reopen log of {container_name(node, record)}"
    async with node.locks.hold(record.id, subject):
        try:
            await handle.reopen_log()
        except Exception as error:
            raise retold(error, subject) from error
