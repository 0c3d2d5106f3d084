"""Exec, Attach and PortForward: check the request, and answer with a URL of the streaming server.

What can be refused at once is refused here, by a gRPC status that the kubelet shows; the rest is told on the stream.
Nothing is started before the client comes.
"""

from typing import Protocol

from cri.api import api_pb2
from cri.runtime_service.parts import RuntimeParts
from runtime.drivers.driver import ExecStreamRequest
from runtime.errors import InvalidArgument
from runtime.lifecycle.container_stream import check_ready, check_running, container_terminal

_PORTS = range(1, 65536)


class _Streams(Protocol):
    """The fields that exec and attach requests share."""

    tty: bool
    stdin: bool
    stdout: bool
    stderr: bool


async def exec_url(parts: RuntimeParts, request: api_pb2.ExecRequest) -> api_pb2.ExecResponse:
    """Answer Exec.

    Raises:
        InvalidArgument: the command is empty, or the streams make no sense.
        NotFound, FailedPrecondition: there is no such container, or it is not running.
        ResourceExhausted: too many URLs wait for their client.
    """
    if not request.cmd:
        raise InvalidArgument(
            "exec", "names no command", remedy="send at least a program", reason="NoCommand"
        )
    id = check_running(parts.node, request.container_id, "exec in")
    _check_streams("exec", request)
    wanted = ExecStreamRequest(
        command=tuple(request.cmd), terminal=request.tty, stdin=request.stdin
    )
    url = parts.streaming.exec_url(id, wanted, stdout=request.stdout, stderr=request.stderr)
    return api_pb2.ExecResponse(url=url)


async def attach_url(parts: RuntimeParts, request: api_pb2.AttachRequest) -> api_pb2.AttachResponse:
    """Answer Attach.

    Raises:
        InvalidArgument: the streams make no sense, or the terminal is not the container's.
        NotFound, FailedPrecondition: there is no such container, or it is not running.
        ResourceExhausted: too many URLs wait for their client.
    """
    id = check_running(parts.node, request.container_id, "attach to")
    _check_streams("attach", request)
    if request.tty != container_terminal(parts.node, id):
        has = "no terminal" if request.tty else "a terminal"
        raise InvalidArgument(
            "attach", f"the container has {has}", remedy="send tty as created", reason="BadStreams"
        )
    url = parts.streaming.attach_url(
        id,
        terminal=request.tty,
        stdin=request.stdin,
        stdout=request.stdout,
        stderr=request.stderr,
    )
    return api_pb2.AttachResponse(url=url)


async def port_forward_url(
    parts: RuntimeParts, request: api_pb2.PortForwardRequest
) -> api_pb2.PortForwardResponse:
    """Answer PortForward. Most clients name no ports here, but on each stream.

    Raises:
        InvalidArgument: a port is none.
        NotFound, FailedPrecondition: there is no such pod sandbox, or it is stopped.
        ResourceExhausted: too many URLs wait for their client.
    """
    id = check_ready(parts.node, request.pod_sandbox_id)
    bad = [port for port in request.port if port not in _PORTS]
    if bad:
        raise InvalidArgument(
            "port-forward", f"{bad[0]} is no port", remedy="use 1 to 65535", reason="BadPort"
        )
    url = parts.streaming.port_forward_url(id, tuple(request.port))
    return api_pb2.PortForwardResponse(url=url)


def _check_streams(verb: str, request: _Streams) -> None:
    if request.tty and request.stderr:
        raise InvalidArgument(
            verb,
            "a terminal has no stderr of its own",
            remedy="ask for stdout alone",
            reason="BadStreams",
        )
    if not (request.stdin or request.stdout or request.stderr):
        raise InvalidArgument(
            verb,
            "asks for no stream",
            remedy="ask for stdin, stdout or stderr",
            reason="BadStreams",
        )
