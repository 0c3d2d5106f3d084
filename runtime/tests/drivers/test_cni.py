"""CniNetwork over plugins in memory: order, results handed on, failures, readiness."""

import asyncio
import json
import logging
from dataclasses import replace
from pathlib import Path

import pytest

from e2e.contracts.pod_network_contract import PodNetworkContract, attachment_of
from runtime.drivers.cni import CniNetwork
from runtime.drivers.pod_network import Attachment
from runtime.errors import DeadlineExceeded, Internal, PodRuntimeError, Unavailable
from runtime.records.sandbox import PortMapping
from runtime.tests.fakes.fake_cni_plugin import Answer, FakeCniPlugins

PLUGINS = [
    {"type": "bridge", "ipam": {"type": "host-local"}},
    {"type": "portmap", "capabilities": {"portMappings": True}},
]


class CniWorld:
    """The driver, plugins in memory and their directories."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.configuration = directory / "net.d"
        self.plugin_directory = directory / "bin"
        for path in (self.configuration, self.plugin_directory):
            path.mkdir()
        for name in ("bridge", "portmap", "host-local"):
            (self.plugin_directory / name).touch(mode=0o755)
        self.plugins = FakeCniPlugins()
        self.write()
        self.network = self.make_network()

    def write(self, *, version: str = "1.0.0", plugins: object = PLUGINS, **more: object) -> None:
        document = {"cniVersion": version, "name": "net", "plugins": plugins, **more}
        (self.configuration / "10-net.conflist").write_text(json.dumps(document))

    def make_network(self) -> CniNetwork:
        return CniNetwork(
            self.plugins,
            configuration_directory=self.configuration,
            plugin_directories=[self.plugin_directory],
        )

    async def make_namespace(self, sandbox_id: str) -> Path:
        path = self.directory / sandbox_id
        path.touch()
        return path

    async def remove_namespace(self, sandbox_id: str) -> None:
        (self.directory / sandbox_id).unlink()

    def addresses_in_use(self) -> set[str]:
        return set(self.plugins.taken.values())


@pytest.fixture
def world(tmp_path: Path) -> CniWorld:
    return CniWorld(tmp_path)


class TestCniNetwork(PodNetworkContract):
    """The contract, with plugins in memory."""


async def attached(world: CniWorld, digit: str = "a") -> Attachment:
    attachment = await attachment_of(world, digit)
    made = await world.network.attach(attachment)
    return replace(attachment, result=made.result)


async def test_add_goes_forwards_and_del_backwards_with_results(world: CniWorld) -> None:
    attachment = await attached(world)
    await world.network.detach(attachment)
    assert world.plugins.verbs() == ["bridge ADD", "portmap ADD", "portmap DEL", "bridge DEL"]
    previous = [call.stdin.get("prevResult") for call in world.plugins.calls]
    assert previous[0] is None
    assert previous[1] == previous[2] == previous[3] == json.loads(attachment.result)


async def test_version_before_0_4_gets_no_result_at_del(world: CniWorld) -> None:
    world.write(version="0.3.1")
    await world.network.refresh()
    await world.network.detach(await attached(world))
    assert "prevResult" not in world.plugins.calls[-1].stdin


async def test_plugin_is_told_pod_namespace_and_interface(world: CniWorld) -> None:
    attachment = await attached(world)
    env = world.plugins.calls[0].env
    assert env["CNI_COMMAND"] == "ADD"
    assert env["CNI_CONTAINERID"] == attachment.sandbox_id
    assert env["CNI_NETNS"] == str(attachment.netns)
    assert env["CNI_IFNAME"] == "eth0"
    assert env["CNI_PATH"] == str(world.plugin_directory)
    assert env["CNI_ARGS"] == (
        "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web-a;"
        f"K8S_POD_INFRA_CONTAINER_ID={attachment.sandbox_id};K8S_POD_UID=uid-1"
    )


async def test_host_ports_go_to_the_plugin_that_declares_them(world: CniWorld) -> None:
    plain = await attachment_of(world, "a")
    ports = (PortMapping(container_port=80, host_port=8080), PortMapping(container_port=81))
    await world.network.attach(replace(plain, config=replace(plain.config, port_mappings=ports)))
    bridge, portmap = (call.stdin for call in world.plugins.calls)
    assert "runtimeConfig" not in bridge
    wanted = [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}]
    assert portmap["runtimeConfig"] == {"portMappings": wanted}


async def test_host_ports_without_such_a_plugin_are_told_in_the_log(
    world: CniWorld, caplog: pytest.LogCaptureFixture
) -> None:
    world.write(plugins=PLUGINS[:1])
    await world.network.refresh()
    plain = await attachment_of(world, "a")
    ports = (PortMapping(container_port=80, host_port=8080),)
    with caplog.at_level(logging.WARNING):
        await world.network.attach(
            replace(plain, config=replace(plain.config, port_mappings=ports))
        )
    assert "asks for portMappings" in caplog.text


async def test_missing_namespace_is_an_empty_path_at_del(world: CniWorld) -> None:
    attachment = await attached(world)
    await world.remove_namespace(attachment.sandbox_id)
    await world.network.detach(attachment)
    await world.network.detach(replace(attachment, netns=Path()))
    assert [call.env["CNI_NETNS"] for call in world.plugins.calls[2:]] == ["", "", "", ""]


async def test_pin_that_lost_its_namespace_is_an_empty_path_at_del(world: CniWorld) -> None:
    attachment = await attached(world)
    await world.network.detach(attachment)  # in this world a pin is a plain file
    await world.network.detach(replace(attachment, netns=Path("/proc/self/ns/net")))
    told = [call.env["CNI_NETNS"] for call in world.plugins.calls[2:]]
    assert told == ["", "", "/proc/self/ns/net", "/proc/self/ns/net"]


async def test_failed_add_is_undone_from_the_failed_plugin_backwards(world: CniWorld) -> None:
    world.plugins.fail("portmap", "ADD", "port is taken")
    with pytest.raises(
        Unavailable, match=r"portmap ADD failed: port is taken \(code 100\)"
    ) as told:
        await world.network.attach(await attachment_of(world, "a"))
    assert world.plugins.verbs() == ["bridge ADD", "portmap ADD", "portmap DEL", "bridge DEL"]
    assert world.addresses_in_use() == set()
    assert told.value.program == "portmap"


async def test_later_plugins_are_not_asked_to_undo(world: CniWorld) -> None:
    world.plugins.fail("bridge", "ADD", "no address is left")
    with pytest.raises(Unavailable):
        await world.network.attach(await attachment_of(world, "a"))
    assert world.plugins.verbs() == ["bridge ADD", "bridge DEL"]


async def test_failed_undo_is_told_beside_the_failure(world: CniWorld) -> None:
    world.plugins.fail("portmap", "ADD", "port is taken")
    world.plugins.fail("bridge", "DEL", "ipam busy")
    with pytest.raises(Unavailable, match=r"port is taken.*undoing it failed.*ipam busy") as told:
        await world.network.attach(await attachment_of(world, "a"))
    assert isinstance(told.value.__cause__, ExceptionGroup)
    assert len(told.value.__cause__.exceptions) == 2


async def test_every_plugin_is_asked_to_delete_although_one_fails(world: CniWorld) -> None:
    attachment = await attached(world)
    world.plugins.fail("portmap", "DEL", "iptables is locked")
    with pytest.raises(Unavailable, match="iptables is locked"):
        await world.network.detach(attachment)
    assert world.plugins.verbs()[-1] == "bridge DEL"
    assert world.addresses_in_use() == set()


async def test_all_failures_of_del_are_told(world: CniWorld) -> None:
    attachment = await attached(world)
    world.plugins.fail("portmap", "DEL", "first")
    world.plugins.fail("bridge", "DEL", "second")
    with pytest.raises(PodRuntimeError, match=r"first.*second"):
        await world.network.detach(attachment)


async def test_pod_without_address_is_refused_and_undone(world: CniWorld) -> None:
    world.plugins.answer("bridge", "ADD", Answer(stdout='{"cniVersion": "1.0.0"}'))
    with pytest.raises(Internal, match="gave the pod no address"):
        await world.network.attach(await attachment_of(world, "a"))
    assert world.plugins.verbs()[-2:] == ["portmap DEL", "bridge DEL"]


async def test_failed_undo_of_an_addressless_pod_is_told(world: CniWorld) -> None:
    world.plugins.answer("bridge", "ADD", Answer(stdout='{"cniVersion": "1.0.0"}'))
    world.plugins.fail("bridge", "DEL", "ipam busy")
    with pytest.raises(Internal, match="ipam busy"):
        await world.network.attach(await attachment_of(world, "a"))


async def test_stored_result_that_is_damaged_does_not_hinder_del(world: CniWorld) -> None:
    attachment = await attached(world)
    await world.network.detach(replace(attachment, result="{"))
    assert "prevResult" not in world.plugins.calls[-1].stdin


async def test_stored_configuration_that_is_damaged_is_told(world: CniWorld) -> None:
    attachment = await attachment_of(world, "a")
    with pytest.raises(Internal, match="stored configuration is not usable"):
        await world.network.detach(replace(attachment, configuration="{"))


async def test_configuration_of_the_attachment_is_used_after_a_change(world: CniWorld) -> None:
    attachment = await attached(world)
    world.write(plugins=[{"type": "bridge"}])
    await world.network.refresh()
    await world.network.detach(attachment)
    assert world.plugins.verbs()[-2:] == ["portmap DEL", "bridge DEL"]


async def test_calls_for_one_pod_follow_each_other_and_others_do_not_wait(world: CniWorld) -> None:
    gate = asyncio.Event()
    world.plugins.answer("portmap", "DEL", Answer(wait_for=gate))
    first = await attached(world, "a")
    async with asyncio.TaskGroup() as group:
        group.create_task(world.network.detach(first))
        group.create_task(world.network.detach(first))
        await asyncio.sleep(0)
        second = await attached(world, "b")
        assert world.plugins.verbs().count("portmap DEL") == 1
        gate.set()
    assert world.plugins.verbs().count("portmap DEL") == 2
    assert world.addresses_in_use() == {world.plugins.taken[second.sandbox_id]}


async def test_check_asks_every_plugin_with_the_result(world: CniWorld) -> None:
    attachment = await attached(world)
    await world.network.check(attachment)
    assert world.plugins.verbs()[-2:] == ["bridge CHECK", "portmap CHECK"]
    assert "prevResult" in world.plugins.calls[-1].stdin


@pytest.mark.parametrize("changes", [{"version": "0.3.1"}, {"disableCheck": True}])
async def test_check_is_left_out_when_it_is_unknown_or_off(
    world: CniWorld, changes: dict[str, str]
) -> None:
    world.write(**changes)
    await world.network.refresh()
    await world.network.check(await attached(world))
    assert "bridge CHECK" not in world.plugins.verbs()


async def test_failing_status_makes_the_network_not_ready(world: CniWorld) -> None:
    world.write(version="1.1.0")
    world.plugins.fail("bridge", "STATUS", "no pool", code=50)
    condition = await world.network.refresh()
    assert not condition.ready
    assert condition.reason == "NetworkPluginNotReady"
    assert "bridge STATUS failed: no pool (code 50)" in condition.message
    # A pod that is asked for nevertheless is tried: STATUS may be behind.
    assert world.network.current_configuration()
    world.plugins.answers.clear()
    assert (await world.network.refresh()).ready
    assert "CNI_IFNAME" not in world.plugins.calls[-1].env


async def test_status_is_not_asked_of_older_networks(world: CniWorld) -> None:
    await world.network.refresh()
    assert world.plugins.verbs() == []


async def test_network_is_ready_when_it_appears(world: CniWorld, tmp_path: Path) -> None:
    (world.configuration / "10-net.conflist").unlink()
    network = world.make_network()
    assert "no network configuration in" in network.condition().message
    with pytest.raises(Unavailable, match="install the network add-on"):
        network.current_configuration()
    world.write()
    assert (await network.refresh()).ready


async def test_files_are_followed_while_watching(world: CniWorld) -> None:
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        watcher = group.create_task(world.network.watch())
        (world.plugin_directory / "portmap").rename(world.directory / "portmap")
        while world.network.condition().ready:
            await asyncio.sleep(0)
        assert "plugin portmap of" in world.network.condition().message
        (world.directory / "portmap").rename(world.plugin_directory / "portmap")
        while not world.network.condition().ready:
            await asyncio.sleep(0)
        watcher.cancel()


async def test_directory_that_appears_later_is_followed(tmp_path: Path) -> None:
    world = CniWorld(tmp_path)
    world.configuration.rename(tmp_path / "kept")
    network = world.make_network()
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        watcher = group.create_task(network.watch())
        await asyncio.sleep(0)
        assert not network.condition().ready
        (tmp_path / "kept").rename(world.configuration)
        while not network.condition().ready:
            await asyncio.sleep(0)
        watcher.cancel()


async def test_silent_plugin_is_named_with_its_last_words(world: CniWorld) -> None:
    world.plugins.answer(
        "portmap", "ADD", Answer(exit_code=143, stderr="x\nrefused\n", timed_out=True)
    )
    with pytest.raises(DeadlineExceeded, match=r'portmap ADD silent for 0 s, last said "refused"'):
        await world.network.attach(await attachment_of(world, "a"))
