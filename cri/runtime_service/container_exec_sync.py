"""ExecSync. A command that ends with any code is an answer; one that takes too long is DeadlineExceeded.

The whole answer fits the 16 MiB that the kubelet and crictl accept: both references cut each stream at 16 MiB, so that
much output of theirs arrives as an error at the client.
"""

from cri.api import api_pb2
from cri.runtime_service.parts import RuntimeParts
from runtime.errors import InvalidArgument
from runtime.lifecycle.container_exec import exec_sync

ANSWER_LIMIT = 16 * 1024 * 1024 - 4096
"""Bytes of both streams together; the rest of the client's 16 MiB is for field headers."""


async def exec_in_container(
    parts: RuntimeParts, request: api_pb2.ExecSyncRequest
) -> api_pb2.ExecSyncResponse:
    """Answer ExecSync. A timeout of 0 waits for ever.

    Raises:
        InvalidArgument: the command is empty, or the timeout negative.
        DeadlineExceeded: the command ran into the timeout and was killed.
    """
    if not request.cmd:
        raise InvalidArgument(
            "exec", "names no command", remedy="send at least a program", reason="NoCommand"
        )
    if request.timeout < 0:
        raise InvalidArgument("exec", "has a negative timeout", reason="BadTimeout")
    command = tuple(request.cmd)
    result = await exec_sync(parts.node, request.container_id, command, request.timeout)
    stdout, stderr = fit_answer(result.stdout, result.stderr)
    return api_pb2.ExecSyncResponse(stdout=stdout, stderr=stderr, exit_code=result.exit_code)


def fit_answer(stdout: bytes, stderr: bytes, limit: int = ANSWER_LIMIT) -> tuple[bytes, bytes]:
    """Cut the end off the streams until both fit; the smaller one keeps up to half of the limit."""
    if len(stdout) + len(stderr) <= limit:
        return stdout, stderr
    half = limit // 2
    room_out = max(half, limit - len(stderr))
    room_err = max(half, limit - len(stdout))
    return stdout[:room_out], stderr[:room_err]
