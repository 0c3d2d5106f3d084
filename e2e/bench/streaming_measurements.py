"""Measurements of streaming: latency of a short exec, throughput of exec, attach and port-forward in each direction, and
the memory of sessions in which nothing moves.

The clients are crictl and client-go (e2e/streaming_client), the same programs against each contender.
"""

from __future__ import annotations

import hashlib
import socket
import subprocess
import threading
import time
from pathlib import Path

from cri.api import api_pb2
from e2e.bench.contender import Contender
from e2e.bench.measurements import Samples, Surroundings, milliseconds
from e2e.bench.memory import command_of, total_megabytes
from e2e.cri_client import DEADLINE
from e2e.images.catalogue import BUSYBOX
from e2e.kubelet_requests import ContainerShape, container_config, pod_config
from e2e.registry import free_port
from e2e.streaming_client import Report, built_client, run_reports
from e2e.streaming_client.urls import serve
from e2e.tool_paths import CRI_TOOLS, built_tool

MIB = 1024 * 1024
SIZE = 256 * MIB
_BLOCK = 256 * 1024
# dd moves whole blocks; busybox's head and wc look at each byte and would be what is measured.
_SEND = f"dd if=/dev/zero bs=256k count={SIZE // _BLOCK} 2>/dev/null"
_COUNT = (
    f"dd bs=64k count={SIZE // 65536} iflag=fullblock of=/dev/null 2>&1"
    f" | grep -c '^{SIZE // 65536}+0 records in'"
)
_COUNTED = b"1\n"
"""What a sink answers once every byte has arrived."""
_SERVE = serve(8080, f"dd if=/dev/zero bs=256k count={SIZE // _BLOCK}")
_SINK = serve(8081, f'sh -c "{_COUNT}"')
IDLE_SESSIONS = 200
_AT_ONCE = 20
_IDLE = ("sleep", "86399")


class StreamingPod:
    """A pod with what the measurements talk to."""

    def __init__(self, contender: Contender, place: Surroundings, name: str) -> None:
        """Run the pod and its main container."""
        self.contender = contender
        self.client = contender.client
        self.client.pull(BUSYBOX)
        self.shape = place.shape(name)
        self.config = pod_config(self.shape)
        self.id = self.client.run_pod(self.config)
        self.main = self.container("main", "sleep 86400")
        self.container("serve", _SERVE)
        self.container("sink", _SINK)
        self._attached = 0

    def container(self, name: str, script: str, *, stdin: bool = False) -> str:
        """Start one more container."""
        wanted = ContainerShape(name=name, command=("sh", "-c", script))
        config = container_config(self.shape, wanted)
        config.stdin = config.stdin_once = stdin
        container = self.client.create(self.id, config, self.config)
        self.client.start(container)
        return container

    def exec_url(self, *words: str, stdin: bool = False) -> str:
        """Ask for an exec in the main container."""
        request = api_pb2.ExecRequest(
            container_id=self.main, cmd=words, stdin=stdin, stdout=True, stderr=True
        )
        url: str = self.client.runtime.Exec(request, timeout=DEADLINE).url
        return url

    def attach_url(self, script: str) -> str:
        """Start a container that waits for a line, and ask for an attach to it."""
        self._attached += 1
        container = self.container(f"attach-{self._attached}", script, stdin=True)
        request = api_pb2.AttachRequest(
            container_id=container, stdin=True, stdout=True, stderr=True
        )
        url: str = self.client.runtime.Attach(request, timeout=DEADLINE).url
        return url

    def forward_url(self) -> str:
        """Ask for a port-forward."""
        request = api_pb2.PortForwardRequest(pod_sandbox_id=self.id)
        url: str = self.client.runtime.PortForward(request, timeout=DEADLINE).url
        return url

    def restart_daemon(self) -> None:
        """Restart the daemon; the pod runs on."""
        self.contender.time_start()
        self.client = self.contender.client

    def remove(self) -> None:
        """Remove the pod."""
        self.client.stop_pod(self.id)
        self.client.remove_pod(self.id)


def exec_latency(pod: StreamingPod) -> Samples:
    """Measure `exec true`: the whole of crictl, and connect to status in client-go."""
    crictl = [str(built_tool(CRI_TOOLS, "crictl")), "-r", pod.contender.daemon.address]
    words = [*crictl, "exec", pod.main, "true"]
    whole = milliseconds(lambda: subprocess.run(words, check=True, capture_output=True))
    (report,) = run_reports([pod.exec_url("true")])
    return {"crictl exec true": [whole], "client-go exec true": [report.milliseconds]}


def idle_sessions(pod: StreamingPod) -> Samples:
    """Measure the memory of one of 200 execs that wait: daemon, shims and what else serves them, not their programs.

    The daemon is started anew, as one that was busy has room that nobody sees, and has served some before.
    """
    pod.restart_daemon()
    clients: list[subprocess.Popen[bytes]] = []
    try:
        before = _memory_with(pod, clients, 1)
        after = _memory_with(pod, clients, 1 + IDLE_SESSIONS // _AT_ONCE)
    finally:
        for client in clients:
            client.kill()
            client.wait()
        pod.client.stop(pod.main)
    return {"KB per idle exec session": [(after - before) * 1024 / IDLE_SESSIONS]}


def _memory_with(pod: StreamingPod, clients: list[subprocess.Popen[bytes]], count: int) -> float:
    """Start clients up to a number, each with some sessions, and return the megabytes of what serves them."""
    while len(clients) < count:
        urls = [pod.exec_url(*_IDLE, stdin=True) for _ in range(_AT_ONCE)]
        words = [str(built_client()), "command", "-report", "-stdin", *urls]
        clients.append(
            subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        )
        _wait_idle(pod, _AT_ONCE * len(clients))
    time.sleep(1.0)  # what a start needs for a moment is given back
    return total_megabytes(pod.contender.processes(), list(_IDLE))


def _wait_idle(pod: StreamingPod, count: int) -> None:
    """Wait until so many wait; looked for from outside, as an exec among hundreds costs a runtime much."""
    deadline = time.monotonic() + 120
    while True:
        pids = [int(path.name) for path in Path("/proc").glob("[0-9]*")]
        if sum(command_of(pid) == list(_IDLE) for pid in pids) >= count:
            return
        if time.monotonic() > deadline:
            raise RuntimeError(f"{pod.contender.name}: not all idle sessions have begun")
        time.sleep(0.2)


def throughput(pod: StreamingPod, folder: Path) -> Samples:
    """Measure MB/s of 256 MiB in each direction of each kind of stream."""
    send = ("-stdin", "-send", str(SIZE))
    rates = {
        "exec out": _rate(run_reports([pod.exec_url("sh", "-c", _SEND)])),
        "exec in": _rate_in(run_reports([pod.exec_url("sh", "-c", _COUNT, stdin=True)], *send)),
        "attach out": _rate(
            run_reports([pod.attach_url(f"cat >/dev/null; {_SEND}")], "-stdin", "-send", "0")
        ),
        "attach in": _rate_in(run_reports([pod.attach_url(_COUNT)], *send)),
    }
    rates |= _forward_rates(pod, folder)
    return {f"MB/s {name}": [rate] for name, rate in rates.items()}


def _rate(reports: list[Report]) -> float:
    (report,) = reports
    if report.error or report.stdout_bytes != SIZE:
        raise RuntimeError(f"{report.stdout_bytes} bytes came of {SIZE}; {report.error}")
    return SIZE / 1000 / report.milliseconds


def _rate_in(reports: list[Report]) -> float:
    (report,) = reports
    counted = hashlib.sha256(_COUNTED).hexdigest()
    if report.error or report.stdout_sha256 != counted:
        raise RuntimeError(f"not all of {SIZE} bytes arrived; {report.error}")
    return SIZE / 1000 / report.milliseconds


def _forward_rates(pod: StreamingPod, folder: Path) -> dict[str, float]:
    out, into = free_port(), free_port()
    log = folder / f"forward-{pod.contender.name}.log"
    words = [str(built_client()), "port-forward", pod.forward_url(), f"{out}:8080", f"{into}:8081"]
    with log.open("wb") as output:
        process = subprocess.Popen(words, stdout=output, stderr=output)
    try:
        while log.read_bytes().count(b"Forwarding from") < 2:
            time.sleep(0.02)
        return {"forward out": _receive(out), "forward in": _send(into)}
    finally:
        process.terminate()
        process.wait()


def _receive(port: int) -> float:
    begin = time.perf_counter()
    count = 0
    with socket.create_connection(("127.0.0.1", port)) as connection:
        while block := connection.recv(_BLOCK):
            count += len(block)
    if count != SIZE:
        raise RuntimeError(f"{count} bytes came of {SIZE}")
    return SIZE / 1e6 / (time.perf_counter() - begin)


def _send(port: int) -> float:
    block = bytes(_BLOCK)
    begin = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port)) as connection:

        def feed() -> None:
            for _ in range(SIZE // _BLOCK):
                connection.sendall(block)

        sender = threading.Thread(target=feed)
        sender.start()
        # The count comes before we end our direction: containerd cuts answers that come after it.
        counted = b""
        while answer := connection.recv(_BLOCK):
            counted += answer
        sender.join()
    if counted != _COUNTED:
        raise RuntimeError(f"{counted!r} bytes arrived of {SIZE}")
    return SIZE / 1e6 / (time.perf_counter() - begin)
