"""Streaming access to what runs on the node: exec and attach with streams in the caller's hands, and dialling into a pod.

Like exec_sync it takes no lock and is no operation: what it hands out belongs to the caller, who closes it. It copies
nothing itself.
"""

import asyncio
import socket
from dataclasses import dataclass
from pathlib import Path

from runtime.drivers.driver import ContainerHandle, ExecSession, ExecStreamRequest
from runtime.errors import FailedPrecondition, InvalidArgument, Unavailable
from runtime.host import namespaces
from runtime.host.own_thread import finish_in_own_thread
from runtime.lifecycle.container_exec import running_handle
from runtime.lifecycle.failures import retold
from runtime.lifecycle.node import Node
from runtime.lifecycle.object_names import container_name, pod_name
from runtime.lifecycle.sandbox_network import owns_network
from runtime.records.sandbox import SandboxRecord, SandboxState

CONNECT_SECONDS = 10.0
"""To a port on loopback: answered at once, or the listener's queue is full."""
_LOOPBACKS = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))
_PORTS = range(1, 65536)


@dataclass(frozen=True, kw_only=True, slots=True)
class AttachedContainer:
    """A running container's own streams, in the hands of one client."""

    connection: socket.socket
    """Packets as formats.monitor_messages says; always read it, and close it."""
    terminal: bool
    stdin: bool
    stdin_once: bool
    handle: ContainerHandle

    async def resize(self, width: int, height: int) -> None:
        """Set the size of its terminal.

        Raises:
            FailedPrecondition, DeadlineExceeded: the container or its monitor is gone, or does not answer.
        """
        await self.handle.resize_terminal(width, height)


def check_running(node: Node, id: str, verb: str) -> str:
    """Return the full id of a RUNNING container.

    Raises:
        NotFound: there is no such container.
        FailedPrecondition: it is not running.
    """
    running_handle(node, id, verb)
    return node.container(id).id


def container_terminal(node: Node, id: str) -> bool:
    """Tell whether a container has a terminal.

    Raises:
        NotFound: there is no such container.
    """
    return node.container(id).config.tty


def check_ready(node: Node, id: str) -> str:
    """Return the full id of a READY pod sandbox.

    Raises:
        NotFound: there is no such pod sandbox.
        FailedPrecondition: it is stopped.
    """
    return _ready(node, id).id


async def open_exec(node: Node, id: str, request: ExecStreamRequest) -> ExecSession:
    """Start a command in a running container.

    Raises:
        NotFound, FailedPrecondition: there is no such container, or it is not running.
        InvalidArgument: the command is empty or cannot be run.
        DeadlineExceeded: it did not start in time.
    """
    handle = running_handle(node, id, "exec in")
    subject = f"exec in {container_name(node, node.container(id))}"
    if not request.command or not request.command[0]:
        raise InvalidArgument(subject, "the command is empty", reason="EmptyCommand")
    try:
        return await handle.exec_stream(request)
    except Exception as error:
        raise retold(error, subject) from error


async def open_attach(node: Node, id: str) -> AttachedContainer:
    """Connect to a running container's own streams.

    Raises:
        NotFound, FailedPrecondition: there is no such container, it is not running, or its monitor is gone.
    """
    handle = running_handle(node, id, "attach to")
    record = node.container(id)
    try:
        connection = await handle.attach()
    except Exception as error:
        raise retold(error, f"attach to {container_name(node, record)}") from error
    config = record.config
    return AttachedContainer(
        connection=connection,
        terminal=config.tty,
        stdin=config.stdin,
        stdin_once=config.stdin_once,
        handle=handle,
    )


async def dial_pod(node: Node, id: str, port: int) -> socket.socket:
    """Connect to a port on the pod's own loopback, IPv4 first; the socket does not block.

    Raises:
        NotFound, FailedPrecondition: there is no such pod, or it is stopped.
        InvalidArgument: this is no port.
        Unavailable: nothing answers there.
    """
    record = _ready(node, id)
    subject = f"port {port} of pod {pod_name(record)}"
    if port not in _PORTS:
        raise InvalidArgument(subject, "a port is from 1 to 65535", reason="BadPort")
    causes: list[str] = []
    for family, address in _LOOPBACKS:
        try:
            return await _connect(node, record, family, (address, port))
        except OSError as error:  # TimeoutError is one
            causes.append(f"{address}: {error.strerror or 'no answer'}".lower())
    raise Unavailable(
        subject,
        f"nothing answers inside the pod ({', '.join(causes)})",
        remedy="check that the program listens on localhost",
        reason="PortClosed",
    )


async def _connect(
    node: Node, record: SandboxRecord, family: socket.AddressFamily, target: tuple[str, int]
) -> socket.socket:
    if owns_network(record):
        pin = node.paths.namespaces(record.id) / "net"
        connection = await _socket_inside(pin, family)
    else:
        connection = _new_socket(family)
    try:
        async with asyncio.timeout(CONNECT_SECONDS):  # a full queue drops the first packet
            await asyncio.get_running_loop().sock_connect(connection, target)
    except BaseException:
        connection.close()
        raise
    return connection


async def _socket_inside(pin: Path, family: socket.AddressFamily) -> socket.socket:
    """Make a socket in a network namespace; it stays there, whoever uses it (socket(2), namespaces(7))."""
    made: list[socket.socket] = []

    def make() -> None:
        namespaces.inside(pin, lambda: made.append(_new_socket(family)))

    try:
        await finish_in_own_thread(make, name="dial-pod")
    except BaseException:
        for one in made:
            one.close()
        raise
    return made[0]


def _new_socket(family: socket.AddressFamily) -> socket.socket:
    connection = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    connection.setblocking(False)
    return connection


def _ready(node: Node, id: str) -> SandboxRecord:
    record = node.sandbox(id)
    if record.state is not SandboxState.READY:
        raise FailedPrecondition(
            f"pod {pod_name(record)}", f"is {record.state}, not ready", reason="NotReady"
        )
    return record
