"""The daemon from its first line to its last: lock, build, recover, serve, finish, in this order.

Containers never depend on it: it leaves them running when it ends, and takes them up again when it starts. Nothing is
bound before the locks are held, and nothing is answered before recovery is done.
"""

import asyncio
import logging
import os
import signal
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import grpc
from google.protobuf.message import Message

from cri import daemon_log
from cri.config import Settings, flatten
from cri.container_filesystem import ContainerFilesystem
from cri.grpc_server import CriServer, socket_path
from cri.image_service.parts import ImageParts
from cri.image_service.service import image_methods
from cri.instance_locks import instance_locks
from cri.metrics.instruments import Instruments
from cri.node_assembly import Assembly, build_node, node_paths
from cri.operator_access import OperatorAccess, make_instruments
from cri.runtime_service.parts import Condition, RuntimeParts
from cri.runtime_service.service import runtime_methods
from cri.service_notify import ServiceNotifier
from cri.startup_checks import conditions
from cri.streaming.server import StreamingServer
from cri.supervisor import TaskSupervisor
from image.store.collection import collect_periodically
from image.store.touched_check import check_touched
from runtime.lifecycle.dismantle import image_owners
from runtime.lifecycle.node import Node
from runtime.lifecycle.recovery import recover

log = logging.getLogger(__name__)

FINISH_SECONDS = 25.0
"""How long running calls may take to finish after SIGTERM; a container manager waits 30 s before SIGKILL."""

_MASKED = "***"


async def run_daemon(settings: Settings, *, ready: Callable[[], None] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; return the process's exit code. `ready` is called when requests are answered.

    Raises:
        PodRuntimeError: the daemon cannot start; the message says what to do.
    """
    begin = time.monotonic()
    os.umask(0o077)
    daemon_log.set_up(settings.log)
    stop = asyncio.Event()
    address = socket_path(settings.cri_address)
    prepare_directories(settings, address)
    with instance_locks(Path(settings.root), Path(settings.state), address):
        async with AsyncExitStack() as stack:
            notifier = ServiceNotifier()
            node, server = await _start(settings, stack, notifier)
            _listen_for_signals(stop)
            seconds = time.monotonic() - begin
            log.info("ready in %.2f s at %s", seconds, settings.cri_address)
            notifier.ready(f"ready in {seconds:.2f} s")
            if ready is not None:
                ready()
            await stop.wait()
            notifier.stopping()
            await _finish(node, server)
    return 0


def prepare_directories(settings: Settings, address: Path) -> None:
    """Make root, state and the socket's directory for root alone, and repair what others can enter (rule H2)."""
    node_paths(settings).prepare()
    address.parent.mkdir(mode=0o700, parents=True, exist_ok=True)


async def _start(
    settings: Settings, stack: AsyncExitStack, notifier: ServiceNotifier
) -> tuple[Node, CriServer]:
    """Build, recover and bind; `stack` ends everything in reverse order."""
    supervisor = TaskSupervisor()
    assembly = await build_node(settings, supervisor, stack)
    stack.push_async_callback(supervisor.stop)
    for finding in assembly.findings:
        log.warning("%s", finding)
    await recover(assembly.node)
    await assembly.store.reconcile(_image_owners(assembly.node))
    supervisor.spawn_eternal(assembly.node.network.watch(), name="watch network configuration")
    supervisor.spawn(check_touched(assembly.store), name="check image content")
    period = float(settings.image.gc_period_seconds)
    if period:
        collecting = collect_periodically(assembly.store, period)
        supervisor.spawn_eternal(collecting, name="collect image content")
    if notifier.watchdog_seconds is not None:
        supervisor.spawn_eternal(notifier.feed_watchdog(), name="feed watchdog")
    streaming = streaming_server(settings, assembly.node, supervisor)
    await streaming.start()
    stack.push_async_callback(streaming.stop)
    instruments = make_instruments()
    ask = conditions(assembly.findings, assembly.node.network.condition)
    access = OperatorAccess(
        settings=settings,
        assembly=assembly,
        supervisor=supervisor,
        instruments=instruments,
        conditions=ask,
        streaming=streaming.counts,
    )
    stack.push_async_callback(access.stop)
    await access.start()
    services = _services(settings, assembly, supervisor, streaming, ask, instruments)
    server = CriServer(settings.cri_address, services)
    await server.start()
    supervisor.spawn(streaming.preload(), name="import streaming sessions")
    return assembly.node, server


def streaming_server(settings: Settings, node: Node, supervisor: TaskSupervisor) -> StreamingServer:
    """Return the server of section `[streaming]`, not started."""
    wanted = settings.streaming
    return StreamingServer(
        node,
        supervisor,
        address=wanted.address,
        idle_seconds=float(wanted.idle_timeout_seconds),
        tls=(Path(wanted.tls_cert), Path(wanted.tls_key)) if wanted.tls_cert else None,
    )


def _services(
    settings: Settings,
    assembly: Assembly,
    supervisor: TaskSupervisor,
    streaming: StreamingServer,
    ask: Callable[[], tuple[Condition, ...]],
    instruments: Instruments,
) -> "list[grpc.GenericRpcHandler[Message, Message]]":
    node = assembly.node
    containers = ContainerFilesystem(
        host=node.host,
        supervisor=supervisor,
        layers=node.paths.layers,
        images=assembly.store.root,
    )
    runtime = RuntimeParts(
        node=node,
        images=assembly.store,
        streaming=streaming,
        conditions=ask,
        systemd_cgroups=assembly.systemd_cgroups,
        configuration=shown_settings(settings),
    )
    images = ImageParts(
        store=assembly.store,
        puller=assembly.puller,
        container_filesystem=containers.usage,
        handlers=frozenset(node.drivers),
    )
    tables = (runtime_methods(runtime, instruments), image_methods(images, instruments))
    return [table.registration() for table in tables]


def shown_settings(settings: Settings) -> dict[str, object]:
    """Return all settings by dotted key as they may be shown: what can hold a password is masked."""
    return {
        key: _MASKED if key == "image.proxy" and value else value
        for key, value in flatten(settings).items()
    }


def _image_owners(node: Node) -> frozenset[str]:
    """Return every name under which something on this node keeps an image's layers."""
    drafts = [one.container for one in node.pending.values() if one.container is not None]
    records = [*node.containers.values(), *drafts]
    return frozenset(owner for record in records for owner in image_owners(record))


async def _finish(node: Node, server: CriServer) -> None:
    """Accept nothing new and let what runs end, all within one limit; containers go on running."""
    log.info("stopping: containers go on running")
    deadline = time.monotonic() + FINISH_SECONDS
    node.events.close()  # or its listeners would hold the server until the limit
    await server.stop(FINISH_SECONDS)
    for operation in node.operations.running():
        if not await operation.wait_ended(max(0.0, deadline - time.monotonic())):
            log.warning("ending although this still runs: %s", operation.describe())


def _listen_for_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
