"""Freeze and thaw a running container, for operators; the CRI has neither. A stop thaws it by itself."""

from runtime.lifecycle.container_exec import running_handle
from runtime.lifecycle.failures import retold
from runtime.lifecycle.node import Node
from runtime.lifecycle.object_names import container_name


async def pause_container(node: Node, id: str) -> None:
    """Freeze a running container; one that is frozen already is fine.

    Raises:
        NotFound: there is no such container.
        FailedPrecondition: it is not running.
    """
    await _change(node, id, frozen=True)


async def resume_container(node: Node, id: str) -> None:
    """Thaw a container; one that is not frozen is fine. Raises as pause_container."""
    await _change(node, id, frozen=False)


async def _change(node: Node, id: str, *, frozen: bool) -> None:
    verb = "pause" if frozen else "resume"
    handle = running_handle(node, id, verb)
    record = node.container(id)
    subject = f"{verb} {container_name(node, record)}"
    async with node.locks.hold(record.id, subject):
        live = node.live.get(record.id)
        if live is None or live.paused is frozen:
            return
        try:
            await (handle.pause() if frozen else handle.resume())
        except Exception as error:
            raise retold(error, subject) from error
        live.paused = frozen
