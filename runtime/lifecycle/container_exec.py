"""ExecSync: run a command in a running container to its end.

It takes no lock and is no operation: when the caller goes away the command is killed, as nobody reads its output.
"""

from runtime.drivers.driver import ContainerHandle, ExecRequest, ExecResult
from runtime.errors import FailedPrecondition, InvalidArgument
from runtime.lifecycle.failures import retold
from runtime.lifecycle.node import Node
from runtime.lifecycle.object_names import container_name
from runtime.records.container import ContainerState


async def exec_sync(
    node: Node, id: str, command: tuple[str, ...], timeout_seconds: int
) -> ExecResult:
    """Run a command; a timeout of 0 is none. Output is cut at 16 MiB per stream.

    Raises:
        NotFound: there is no such container.
        FailedPrecondition: it is not running.
        InvalidArgument: the command is empty or cannot be run.
        DeadlineExceeded: it took longer than the timeout, and was killed.
    """
    handle = running_handle(node, id, "exec in")
    subject = f"exec in {container_name(node, node.container(id))}"
    if not command or not command[0]:
        raise InvalidArgument(subject, "the command is empty", reason="EmptyCommand")
    request = ExecRequest(
        command=tuple(command), timeout_seconds=timeout_seconds if timeout_seconds > 0 else None
    )
    try:
        return await handle.exec(request)
    except Exception as error:
        raise retold(error, subject) from error


def running_handle(node: Node, id: str, verb: str) -> ContainerHandle:
    """Return the handle of a RUNNING container.

    Raises:
        NotFound: there is no such container.
        FailedPrecondition: it is not running.
    """
    record = node.container(id)
    live = node.live.get(record.id)
    if record.state is not ContainerState.RUNNING or live is None or live.handle is None:
        raise FailedPrecondition(
            f"{verb} {container_name(node, record)}",
            f"the container is {record.state}, not running",
            remedy="start it first" if record.state is ContainerState.CREATED else "",
            reason="NotRunning",
        )
    return live.handle
