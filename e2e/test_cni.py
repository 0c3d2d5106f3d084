"""CniNetwork with real plugins, Debian's and the built ones: the contract, host ports, bandwidth, timing. Needs root.

Bridge, subnet, leases and firewall chains are the test's own and are taken away at the end.
"""

import asyncio
import json
import os
import secrets
import socket
import statistics
import subprocess
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from e2e.cni import delete_rules, rules_of
from e2e.contracts.pod_network_contract import PodNetworkContract, attachment_of
from e2e.tool_paths import CNI_PLUGINS, cache_directory
from runtime.drivers.cni import CniNetwork
from runtime.drivers.program import ProgramRunner
from runtime.drivers.reaper import Reaper
from runtime.errors import DeadlineExceeded, PodRuntimeError
from runtime.host import mounts
from runtime.host.host import PodNamespaces
from runtime.host.linux_host import LinuxHost
from runtime.records.sandbox import PortMapping

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

PLUGIN_DIRECTORIES = [Path("/usr/lib/cni"), cache_directory() / "go" / CNI_PLUGINS]


class CniWorld:
    """A network of real plugins with a bridge of its own."""

    def __init__(self, directory: Path, programs: ProgramRunner, plugins: Path) -> None:
        token = secrets.token_hex(3)
        self.name = f"ladtest{token}"
        self.bridge = f"lt{token}"
        self.subnet = f"10.{214 + secrets.randbelow(30)}.{secrets.randbelow(255)}.0/24"
        self.plugins = plugins
        self.directory = directory
        self.host = LinuxHost(programs)
        self.write(version="1.0.0" if "lib/cni" in str(plugins) else "1.1.0")
        self.network = CniNetwork(
            programs,
            configuration_directory=directory / "net.d",
            plugin_directories=[directory / "own", plugins],
        )

    def write(self, *, version: str) -> None:
        for name in ("net.d", "own", "leases"):
            (self.directory / name).mkdir(exist_ok=True)
        ipam = {
            "type": "host-local",
            "dataDir": str(self.directory / "leases"),
            "ranges": [[{"subnet": self.subnet}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        }
        bridge = {"type": "bridge", "bridge": self.bridge, "isGateway": True, "ipMasq": True}
        portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
        document = {
            "cniVersion": version,
            "name": self.name,
            "plugins": [{**bridge, "hairpinMode": True, "ipam": ipam}, portmap],
        }
        (self.directory / "net.d" / "10-test.conflist").write_text(json.dumps(document))

    async def make_namespace(self, sandbox_id: str) -> Path:
        directory = self.directory / sandbox_id[:12]
        await self.host.create_namespaces(
            PodNamespaces(directory=directory, network=True, ipc=False, uts=False)
        )
        return directory / "net"

    async def remove_namespace(self, sandbox_id: str) -> None:
        await self.host.destroy_namespaces(self.directory / sandbox_id[:12])

    def addresses_in_use(self) -> set[str]:
        folder = self.directory / "leases" / self.name
        if not folder.is_dir():
            return set()
        return {path.name for path in folder.iterdir() if path.name[0].isdigit()}

    def clean(self) -> None:
        mounts.unmount_tree(self.directory)
        delete_rules(self.name)
        subprocess.run(["ip", "link", "delete", self.bridge], capture_output=True, check=False)


@pytest.fixture(params=PLUGIN_DIRECTORIES, ids=["debian", "built"])
def plugins(request: pytest.FixtureRequest) -> Path:
    directory: Path = request.param
    if not (directory / "bridge").exists():
        pytest.skip(f"no plugins in {directory}")
    return directory


@pytest.fixture
async def world(tmp_path: Path, plugins: Path) -> AsyncIterator[CniWorld]:
    reaper = Reaper()
    reaper.start(asyncio.get_running_loop())
    made = CniWorld(tmp_path, ProgramRunner(reaper), plugins)
    try:
        yield made
    finally:
        reaper.stop()
        made.clean()


class TestCniNetwork(PodNetworkContract):
    """The contract on real plugins."""


async def test_host_port_leads_to_the_pod_and_ends_with_it(world: CniWorld) -> None:
    port = 20000 + secrets.randbelow(10000)
    plain = await attachment_of(world, "1")
    mapping = PortMapping(protocol="TCP", container_port=80, host_port=port)
    attachment = replace(plain, config=replace(plain.config, port_mappings=(mapping,)))
    made = await world.network.attach(attachment)

    def listen() -> socket.socket:
        return socket.create_server(("0.0.0.0", 80))

    server = await world.host.run_in_network(attachment.netns, listen)
    served = await asyncio.start_server(_greet, sock=server)
    # A loopback source needs route_localnet, which portmap switches on.
    assert await _ask("127.0.0.1", port) == b"hello"
    assert await _ask(made.addresses.ip, 80) == b"hello"
    served.close()
    if world.plugins != PLUGIN_DIRECTORIES[0]:
        # Debian 12's portmap 1.1.1 looks for IPv6 rules that a pod without IPv6 does not have.
        await world.network.check(replace(attachment, result=made.result))
    await world.network.detach(replace(attachment, result=made.result))
    assert not [rule for rule in rules_of(world.name) if str(port) in " ".join(rule)]


async def test_pods_are_attached_in_parallel(world: CniWorld) -> None:
    attachments = [await attachment_of(world, digit) for digit in "2345"]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(world.network.attach(one)) for one in attachments]
    assert len({task.result().addresses.ip for task in tasks}) == 4
    async with asyncio.TaskGroup() as group:
        for one in attachments:
            group.create_task(world.network.detach(one))
    assert world.addresses_in_use() == set()


async def test_failing_second_plugin_leaves_no_address(world: CniWorld) -> None:
    script = world.directory / "own" / "portmap"
    script.write_text(
        "#!/bin/sh\ncat > /dev/null\n[ $CNI_COMMAND = ADD ] || exit 0\necho agent is away >&2\nexit 1\n"
    )
    script.chmod(0o755)
    attachment = await attachment_of(world, "6")
    with pytest.raises(PodRuntimeError, match=r'portmap ADD failed.*said "agent is away"'):
        await world.network.attach(attachment)
    assert world.addresses_in_use() == set()


async def test_silent_plugin_is_killed_with_its_children(world: CniWorld) -> None:
    script = world.directory / "own" / "slow"
    # A number of its own: the same test may run beside this one.
    child = f"sleep {900_000_000 + secrets.randbelow(90_000_000)}"
    script.write_text(f"#!/bin/sh\necho refused >&2\n{child} & wait\n")
    script.chmod(0o755)
    configuration = '{"cniVersion":"1.0.0","name":"n","plugins":[{"type":"slow"}]}'
    attachment = replace(await attachment_of(world, "7"), configuration=configuration)
    for seconds in (0.3, 5.0, 60.0):  # until it has said something within its time
        world.network._plugins._timeout_seconds = seconds
        with pytest.raises(DeadlineExceeded, match=r"slow ADD silent for .* s") as caught:
            await world.network.attach(attachment)
        if "last said" in str(caught.value):
            break
    assert 's, last said "refused"' in str(caught.value)
    async with asyncio.timeout(60):
        while child in command_lines():
            await asyncio.sleep(0.05)


def command_lines() -> str:
    done = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    return done.stdout


async def test_status_is_asked_of_plugins_that_know_it(world: CniWorld) -> None:
    assert (await world.network.refresh()).ready


async def test_changes_of_the_configuration_are_followed(world: CniWorld) -> None:
    path = world.directory / "net.d" / "10-test.conflist"
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        watcher = group.create_task(world.network.watch())
        await asyncio.sleep(0)
        path.rename(world.directory / "kept")
        while world.network.condition().ready:
            await asyncio.sleep(0.01)
        assert "no network configuration in" in world.network.condition().message
        (world.directory / "kept").rename(path)
        while not world.network.condition().ready:
            await asyncio.sleep(0.01)
        watcher.cancel()


async def test_attach_and_detach_are_timed(world: CniWorld) -> None:
    adds, deletes = [], []
    for digit in "89abcdef":
        attachment = await attachment_of(world, digit)
        start = time.perf_counter()
        made = await world.network.attach(attachment)
        adds.append((time.perf_counter() - start) * 1000)
        start = time.perf_counter()
        await world.network.detach(replace(attachment, result=made.result))
        deletes.append((time.perf_counter() - start) * 1000)
    print(
        f"{world.plugins}: ADD {statistics.median(adds):.1f} ms, "
        f"DEL {statistics.median(deletes):.1f} ms"
    )


async def _greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"hello")
    await writer.drain()
    writer.close()


async def _ask(host: str, port: int) -> bytes:
    async with asyncio.timeout(60):
        reader, writer = await asyncio.open_connection(host, port)
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
    return answer
