"""What a test holds in its hands: a running Lading, a client, and short ways to make pods on it.

Only shortens requests; every check stays in the tests.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import grpc

from cri.api import api_pb2
from e2e.cri_client import Client
from e2e.daemon import Lading
from e2e.images.catalogue import BUSYBOX
from e2e.kubelet_requests import ContainerShape, PodShape, container_config, pod_config
from e2e.reference_containerd import Containerd
from e2e.session import Session


@dataclass
class Pod:
    """A pod that is on the node, with the requests that made it."""

    client: Client
    shape: PodShape
    config: api_pb2.PodSandboxConfig
    id: str

    def create(self, wanted: ContainerShape | None = None) -> str:
        """Create a container (a long sleep by default) and return its id."""
        shape = wanted or ContainerShape()
        return self.client.create(self.id, container_config(self.shape, shape), self.config)

    def create_changed(
        self,
        change: Callable[[api_pb2.ContainerConfig], None],
        wanted: ContainerShape | None = None,
    ) -> str:
        """Create a container whose request was changed after it was made, and return its id."""
        config = container_config(self.shape, wanted or ContainerShape())
        change(config)
        return self.client.create(self.id, config, self.config)

    def started(self, wanted: ContainerShape | None = None) -> str:
        """Create and start a container and return its id."""
        container_id = self.create(wanted)
        self.client.start(container_id)
        return container_id

    def shell(self, script: str, **changes: str) -> str:
        """Start a container that runs a shell script and return its id."""
        shape = ContainerShape(name=changes.get("name", "main"), command=("sh", "-c", script))
        return self.started(shape)

    def remove(self) -> None:
        """Stop and remove the pod."""
        self.client.stop_pod(self.id)
        self.client.remove_pod(self.id)


@dataclass
class Node:
    """One daemon under test, and the surroundings it has."""

    session: Session
    daemon: Lading | Containerd
    client: Client
    handler: str = ""
    extra_clients: list[Client] = field(default_factory=list)

    @property
    def log_root(self) -> Path:
        """The folder below which pods have their log directories."""
        return self.session.workspace.folder("pod-logs")

    def shape(self, name: str = "pod") -> PodShape:
        """Return the shape of a pod whose name no other test uses."""
        return PodShape(
            name=f"{name}-{secrets.token_hex(3)}",
            cgroup_parent=self.session.workspace.cgroup_parent,
            log_root=str(self.log_root),
        )

    def run(
        self,
        shape: PodShape | None = None,
        change: Callable[[api_pb2.PodSandboxConfig], None] | None = None,
    ) -> Pod:
        """Run a pod, its request changed after it was made, and return it."""
        wanted = shape or self.shape()
        config = pod_config(wanted)
        if change is not None:
            change(config)
        return Pod(self.client, wanted, config, self.client.run_pod(config, self.handler))

    def with_pid_mode(self, mode: api_pb2.NamespaceMode) -> PodShape:
        """Return a shape with another PID namespace mode."""
        return replace(self.shape(), pid_mode=mode)

    def restart(self, *, crash: bool) -> None:
        """Restart the daemon; the client reconnects by itself."""
        self.daemon.restart(crash=crash)

    def pull_busybox(self) -> str:
        """Make sure that the usual image is there."""
        return self.client.pull(BUSYBOX)


@dataclass(frozen=True, kw_only=True)
class LogLine:
    """One line of a container log in the CRI format."""

    time: str
    stream: str
    tag: str
    text: str


def log_lines(path: str) -> list[LogLine]:
    """Read a container log; a line that is still being written is none yet."""
    lines = []
    whole = Path(path).read_bytes().rpartition(b"\n")[0]
    for line in whole.decode(errors="surrogateescape").splitlines():
        time, stream, tag, text = line.split(" ", 3)
        lines.append(LogLine(time=time, stream=stream, tag=tag, text=text))
    return lines


def said(client: Client, container_id: str) -> str:
    """Wait for the end of a container and return what it wrote."""
    path = client.wait_exited(container_id).log_path
    return "".join(f"{line.text}\n" for line in log_lines(path))


def wait_log(client: Client, container_id: str, lines: int) -> list[str]:
    """Wait until a container has written so many lines, and return the texts of all.

    Raises:
        TimeoutError: it wrote less.
    """
    path = client.status(container_id).log_path
    deadline = time.monotonic() + 60
    while not Path(path).exists() or len(log_lines(path)) < lines:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{container_id} wrote less than {lines} lines in 60 s")
        time.sleep(0.02)
    return [line.text for line in log_lines(path)]


def heard(client: Client, container_id: str, *, lines: int) -> str:
    """Wait until a container has written so many lines, stop it, and return all that it wrote.

    Raises:
        TimeoutError: it wrote less.
    """
    wait_log(client, container_id, lines)
    client.stop(container_id)
    return said(client, container_id)


def wait_program(client: Client, container_id: str, name: str) -> None:
    """Wait until the first process of a container is a program: a start returns while it is still the runtime's.

    Raises:
        TimeoutError: it is another.
    """
    deadline = time.monotonic() + 60
    look = ["cat", "/proc/1/cmdline"]
    while client.exec_sync(container_id, look).stdout.split(b"\0")[0] != name.encode():
        if time.monotonic() > deadline:
            raise TimeoutError(f"the first process of {container_id} is not {name} after 60 s")
        time.sleep(0.02)


@contextmanager
def refused(*codes: grpc.StatusCode, says: str = "") -> Iterator[None]:
    """Expect that a call is refused with one of the codes, and says something about the cause."""
    try:
        yield
    except grpc.RpcError as error:
        code, text = error.code(), error.details() or ""
        assert code in codes, f"refused with {code.name} ({text}); expected {codes}"
        assert text.strip(), f"refused with {code.name} and no explanation"
        assert says.lower() in text.lower(), f"the refusal does not name {says!r}: {text}"
        return
    raise AssertionError(f"the call succeeded; expected {[code.name for code in codes]}")


def refusal(call: Callable[[], object]) -> grpc.StatusCode | None:
    """Return the code a call is refused with; None if it succeeds."""
    try:
        call()
    except grpc.RpcError as error:
        code: grpc.StatusCode = error.code()
        return code
    return None
