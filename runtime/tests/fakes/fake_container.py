"""A container in memory: what a test does to it and what it sees of what was done to it.

`exit(code)` ends it as if its program had. It starts nothing.
"""

import asyncio
import signal
import socket
import time
from collections.abc import Callable

from runtime.drivers.driver import (
    ContainerIdentity,
    CreateRequest,
    ExecRequest,
    ExecResult,
    ExecStreamRequest,
    ExitStatus,
)
from runtime.records.resources import LinuxResources
from runtime.tests.fakes.fake_exec_session import FakeExecSession


def echo(request: ExecRequest) -> ExecResult:
    """Answer as a shell would, for the few commands that the contract suite uses."""
    words = request.command
    if words[0] == "sleep":
        raise RunsOn
    if words[0] == "/no/such/program":
        raise FileNotFoundError(words[0])
    if words[:2] == ("sh", "-c") and words[2].startswith("exit "):
        return ExecResult(exit_code=int(words[2][5:]), stdout=b"", stderr=b"")
    text = " ".join(words[1:]).encode() + b"\n"
    return ExecResult(exit_code=0, stdout=text[: request.output_limit_bytes], stderr=b"")


class RunsOn(Exception):
    """The command does not end by itself."""


class FakeContainer:
    """The test's side of one container."""

    def __init__(self, request: CreateRequest, pid: int) -> None:
        self.request = request
        self.identity = ContainerIdentity(
            pid=pid, pid_start_time=pid, monitor_pid=pid + 1, monitor_start_time=pid
        )
        self.status = "created"
        self.ended: asyncio.Future[ExitStatus] = asyncio.get_running_loop().create_future()
        self.signals: list[int] = []
        """Every signal it was sent."""
        self.ignored_signals: set[int] = set()
        """Signals that do not end it (SIGKILL always does)."""
        self.updates: list[LinuxResources] = []
        self.log_reopened = 0
        self.deleted = False
        self.sessions: list[FakeExecSession] = []
        """Streaming execs so far."""
        self.attached: list[socket.socket] = []
        """The monitor's ends of attach connections: packets sent here reach the client."""
        self.sizes: list[tuple[int, int]] = []
        """Every size of its terminal that was set."""
        self.exec_answer: Callable[[ExecRequest], ExecResult] = echo

    def exit(self, code: int = 0, *, oom: bool = False, monitor_lost: bool = False) -> None:
        """End it."""
        if self.ended.done():
            return
        self.status = "stopped"
        self.ended.set_result(
            ExitStatus(
                exit_code=code,
                finished_at_ns=time.time_ns(),
                oom_killed=oom,
                monitor_lost=monitor_lost,
            )
        )

    def open_session(self, request: ExecStreamRequest) -> FakeExecSession:
        """Start a streaming exec."""
        session = FakeExecSession(terminal=request.terminal, stdin=request.stdin)
        self.sessions.append(session)
        return session

    def attach(self) -> socket.socket:
        """Connect a client to its streams."""
        ours, client = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for end in (ours, client):
            end.setblocking(False)
        self.attached.append(ours)
        return client

    def deliver(self, number: int) -> bool:
        """Take a signal; False when it has ended."""
        if self.ended.done():
            return False
        self.signals.append(number)
        if number == signal.SIGKILL or number not in self.ignored_signals:
            self.exit(128 + number)
        return True
