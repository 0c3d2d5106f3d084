"""Run a command in a container to its end, with exact time limit and capped output.

A background child that keeps the output open delays the answer by the drain time and no more. What was started is
dead and reaped when a call has failed or was cancelled, a process in state D excepted, which is named.
"""

import asyncio
import os
from contextlib import ExitStack

from runtime.drivers.driver import ExecRequest, ExecResult
from runtime.drivers.exec_launch import ExecCommand, ExecLauncher, StartedExec
from runtime.drivers.output_capture import OutputCapture, wait_ended
from runtime.errors import DeadlineExceeded

KILLED_SECONDS = 2.0
"""From SIGKILL to the reaped process: 1 ms; a process in state D does not end."""


async def run_to_end(launcher: ExecLauncher, request: ExecRequest) -> ExecResult:
    """Run a command and return its exit code and output.

    Raises:
        DeadlineExceeded: the time limit passed; process, group and children were killed and the process reaped.
        InvalidArgument: the command cannot be run.
    """
    started: StartedExec | None = None
    with ExitStack() as stack:
        out, out_write = _capture(stack, request.output_limit_bytes)
        err, err_write = _capture(stack, request.output_limit_bytes)
        command = ExecCommand(
            words=request.command, stdout=out_write, stderr=err_write, ends_with_daemon=True
        )
        try:
            async with asyncio.timeout(request.timeout_seconds):  # the request's own limit
                try:
                    started = await launcher.launch(command)
                finally:
                    os.close(out_write)
                    os.close(err_write)
                exit_code = await started.wait()
        except TimeoutError as error:
            raise await _timed_out(launcher.subject, request, started) from error
        except BaseException:
            if started is not None:
                started.kill()
            raise
        await wait_ended((out, err), request.drain_seconds)
        return ExecResult(exit_code=exit_code, stdout=out.output(), stderr=err.output())


def _capture(stack: ExitStack, limit: int) -> tuple[OutputCapture, int]:
    read, write = os.pipe2(os.O_CLOEXEC)
    capture = OutputCapture(read, limit)
    stack.callback(capture.close)
    return capture, write


async def _timed_out(
    subject: str, request: ExecRequest, started: StartedExec | None
) -> DeadlineExceeded:
    details: tuple[str, ...] = ()
    if started is not None:
        started.kill()
        # Answer only when the process is gone: the kubelet looks, and a zombie keeps the container from ending.
        await asyncio.wait({started.ended}, timeout=KILLED_SECONDS)
        if not started.ended.done():
            details = (f"process {started.pid} did not end after SIGKILL",)
    return DeadlineExceeded(
        subject,
        f"command {request.command[0]} timed out after {request.timeout_seconds:g} s",
        reason="ExecTimeout",
        details=details,
    )
