"""What every PodNetwork must do: run on the fakes by unit tests, on real CNI plugins by `e2e/test_cni.py`.

A test module subclasses `PodNetworkContract` and gives a `world` fixture.
"""

from ipaddress import ip_address
from pathlib import Path
from typing import Protocol

from runtime.drivers.pod_network import Attachment, PodNetwork
from runtime.records.sandbox import SandboxConfig, SandboxMetadata


class NetworkWorld(Protocol):
    """A pod network under test and its surroundings."""

    @property
    def network(self) -> PodNetwork:
        """The network, ready."""

    async def make_namespace(self, sandbox_id: str) -> Path:
        """Make a pinned network namespace with loopback up, and return its pin."""

    async def remove_namespace(self, sandbox_id: str) -> None:
        """Remove it again."""

    def addresses_in_use(self) -> set[str]:
        """Return the addresses that are taken now."""


def sandbox_config(name: str = "web-0") -> SandboxConfig:
    """Return the request of a pod without anything special."""
    return SandboxConfig(metadata=SandboxMetadata(name=name, namespace="default", uid="uid-1"))


async def attachment_of(world: NetworkWorld, digit: str) -> Attachment:
    """Return an attachment of a new pod whose id is 64 times `digit`."""
    sandbox_id = digit * 64
    return Attachment(
        sandbox_id=sandbox_id,
        netns=await world.make_namespace(sandbox_id),
        config=sandbox_config(f"web-{digit}"),
        configuration=world.network.current_configuration(),
    )


class PodNetworkContract:
    """The suite; see the module docstring."""

    async def test_usable_network_is_ready(self, world: NetworkWorld) -> None:
        assert world.network.condition().ready
        assert world.network.condition().reason == ""

    async def test_attached_pod_has_an_address_until_it_is_detached(
        self, world: NetworkWorld
    ) -> None:
        attachment = await attachment_of(world, "a")
        made = await world.network.attach(attachment)
        assert ip_address(made.addresses.ip).is_private
        assert world.addresses_in_use() == {made.addresses.ip}
        await world.network.detach(_with_result(attachment, made.result))
        assert world.addresses_in_use() == set()

    async def test_two_pods_have_two_addresses(self, world: NetworkWorld) -> None:
        first, second = await attachment_of(world, "b"), await attachment_of(world, "c")
        one, two = await world.network.attach(first), await world.network.attach(second)
        assert one.addresses.ip != two.addresses.ip
        await world.network.detach(_with_result(first, one.result))
        assert world.addresses_in_use() == {two.addresses.ip}
        await world.network.detach(_with_result(second, two.result))

    async def test_detaching_twice_is_success(self, world: NetworkWorld) -> None:
        attachment = await attachment_of(world, "d")
        made = await world.network.attach(attachment)
        for _ in range(2):
            await world.network.detach(_with_result(attachment, made.result))

    async def test_detaching_what_was_never_attached_is_success(self, world: NetworkWorld) -> None:
        await world.network.detach(await attachment_of(world, "e"))

    async def test_pod_is_detached_after_its_namespace_is_gone(self, world: NetworkWorld) -> None:
        attachment = await attachment_of(world, "f")
        made = await world.network.attach(attachment)
        await world.remove_namespace(attachment.sandbox_id)
        await world.network.detach(_with_result(attachment, made.result))
        assert world.addresses_in_use() == set()

    async def test_pod_is_detached_without_the_result_of_its_attach(
        self, world: NetworkWorld
    ) -> None:
        attachment = await attachment_of(world, "0")
        await world.network.attach(attachment)
        await world.network.detach(attachment)
        assert world.addresses_in_use() == set()


def _with_result(attachment: Attachment, result: str) -> Attachment:
    return Attachment(
        sandbox_id=attachment.sandbox_id,
        netns=attachment.netns,
        config=attachment.config,
        configuration=attachment.configuration,
        result=result,
    )
