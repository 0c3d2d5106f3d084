"""Streams of what runs: only where something runs, and dialled from inside the pod."""

import asyncio
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from runtime.drivers.driver import ExecStreamRequest
from runtime.errors import FailedPrecondition, InvalidArgument, NotFound, Unavailable
from runtime.host import namespaces
from runtime.lifecycle import container_stream
from runtime.lifecycle.container_start import start_container
from runtime.lifecycle.container_stream import (
    check_ready,
    check_running,
    container_terminal,
    dial_pod,
    open_attach,
    open_exec,
)
from runtime.lifecycle.sandbox_stop import stop_sandbox
from runtime.records.container import ContainerRecord
from runtime.records.sandbox import LinuxSandboxConfig, SandboxConfig, SandboxMetadata
from runtime.records.security import NamespaceMode, NamespaceOptions, SandboxSecurity
from runtime.tests.lifecycle.rig import Rig

REQUEST = ExecStreamRequest(command=("cat",), stdin=True)


async def started(rig: Rig) -> ContainerRecord:
    record = await rig.container(await rig.pod())
    await start_container(rig.node, record.id)
    return record


def on_host_network() -> SandboxConfig:
    options = NamespaceOptions(network=NamespaceMode.NODE)
    return SandboxConfig(
        metadata=SandboxMetadata(name="host", namespace="default", uid="u-9"),
        linux=LinuxSandboxConfig(security=SandboxSecurity(namespaces=options)),
    )


async def test_an_exec_is_opened_in_a_running_container(rig: Rig) -> None:
    record = await started(rig)
    session = await open_exec(rig.node, record.id[:12], REQUEST)
    assert session.stdin is not None
    assert check_running(rig.node, record.id[:12], "exec in") == record.id
    assert not container_terminal(rig.node, record.id)
    session.close()


async def test_what_cannot_be_run_is_refused(rig: Rig) -> None:
    record = await rig.container(await rig.pod())
    for command in ((), ("",)):
        with pytest.raises(FailedPrecondition, match="not running"):
            await open_exec(rig.node, record.id, ExecStreamRequest(command=command))
    await start_container(rig.node, record.id)
    with pytest.raises(InvalidArgument, match="empty"):
        await open_exec(rig.node, record.id, ExecStreamRequest(command=("",)))
    with pytest.raises(NotFound):
        await open_exec(rig.node, "f" * 64, REQUEST)
    rig.driver.fail("exec_stream", FailedPrecondition("exec", "the container has just ended"))
    with pytest.raises(FailedPrecondition, match="exec in default/web/app: exec: the container"):
        await open_exec(rig.node, record.id, REQUEST)


async def test_attach_gives_the_monitors_socket_and_what_input_is_like(rig: Rig) -> None:
    record = await started(rig)
    attached = await open_attach(rig.node, record.id)
    assert (attached.terminal, attached.stdin, attached.stdin_once) == (False, False, False)
    await attached.resize(80, 24)
    assert rig.driver.container(record.id).sizes == [(80, 24)]
    attached.connection.close()
    for end in rig.driver.container(record.id).attached:
        end.close()
    rig.driver.fail("attach", FailedPrecondition("monitor", "is gone"))
    with pytest.raises(FailedPrecondition, match="attach to default/web/app"):
        await open_attach(rig.node, record.id)


async def test_a_pod_on_the_hosts_network_is_dialled_on_the_host(rig: Rig) -> None:
    pod = await rig.pod(on_host_network())
    server = socket.create_server(("127.0.0.1", 0))
    with server, await dial_pod(rig.node, pod.id, server.getsockname()[1]) as connection:
        assert not connection.getblocking()
        assert not os.get_inheritable(connection.fileno())


async def test_ipv6_is_tried_after_ipv4(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    pod = await rig.pod(on_host_network())
    tried: list[socket.AddressFamily] = []
    real = container_stream._new_socket

    def note(family: socket.AddressFamily) -> socket.socket:
        tried.append(family)
        return real(family)

    monkeypatch.setattr(container_stream, "_new_socket", note)
    with socket.socket() as unused:  # bound and not listening: refused
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(Unavailable, match=f"port {port} of pod default/host: nothing answers"):
            await dial_pod(rig.node, pod.id, port)
    assert tried == [socket.AF_INET, socket.AF_INET6]


async def test_a_pod_with_its_own_network_is_dialled_inside_it(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod = await rig.pod()
    entered: list[Path] = []

    def inside(pin: Path, work: Callable[[], object]) -> None:
        entered.append(pin)
        work()

    monkeypatch.setattr(namespaces, "inside", inside)
    server = socket.create_server(("127.0.0.1", 0))
    with server, await dial_pod(rig.node, pod.id, server.getsockname()[1]):
        assert entered == [rig.node.paths.namespaces(pod.id) / "net"]


async def test_a_socket_of_a_failed_entry_is_closed(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod = await rig.pod()

    def inside(pin: Path, work: Callable[[], object]) -> None:
        work()
        raise FileNotFoundError(2, "no such namespace")

    monkeypatch.setattr(namespaces, "inside", inside)
    with pytest.raises(Unavailable, match="no such namespace"):
        await dial_pod(rig.node, pod.id, 80)


async def test_a_full_listener_is_not_waited_for_for_ever(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod = await rig.pod(on_host_network())
    monkeypatch.setattr(container_stream, "CONNECT_SECONDS", 0.0)

    async def never(connection: socket.socket, address: object) -> None:
        await asyncio.get_running_loop().create_future()

    monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", never)
    with pytest.raises(Unavailable, match="no answer"):
        await dial_pod(rig.node, pod.id, 80)


async def test_stopped_pods_and_bad_ports_are_refused(rig: Rig) -> None:
    pod = await rig.pod()
    assert check_ready(rig.node, pod.id[:12]) == pod.id
    for port in (0, 65536):
        with pytest.raises(InvalidArgument, match="1 to 65535"):
            await dial_pod(rig.node, pod.id, port)
    await stop_sandbox(rig.node, pod.id)
    with pytest.raises(FailedPrecondition, match="not ready"):
        await dial_pod(rig.node, pod.id, 80)
    with pytest.raises(FailedPrecondition, match="not ready"):
        check_ready(rig.node, pod.id)
    with pytest.raises(NotFound):
        check_ready(rig.node, "f" * 64)
