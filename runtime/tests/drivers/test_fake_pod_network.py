"""The fake pod network keeps the contract of the real one, and does what tests tell it."""

from pathlib import Path

import pytest

from e2e.contracts.pod_network_contract import PodNetworkContract, attachment_of
from runtime.errors import Unavailable
from runtime.tests.fakes.fake_pod_network import FakePodNetwork


class FakeNetworkWorld:
    """The fake network; namespaces are names."""

    def __init__(self) -> None:
        self.network = FakePodNetwork()

    async def make_namespace(self, sandbox_id: str) -> Path:
        return Path("/fake") / sandbox_id / "net"

    async def remove_namespace(self, sandbox_id: str) -> None:
        return None

    def addresses_in_use(self) -> set[str]:
        return set(self.network.taken.values())


@pytest.fixture
def world() -> FakeNetworkWorld:
    return FakeNetworkWorld()


class TestFakePodNetwork(PodNetworkContract):
    """The contract on the fake."""


async def test_told_attach_fails_once(world: FakeNetworkWorld) -> None:
    world.network.fail("attach")
    attachment = await attachment_of(world, "a")
    with pytest.raises(Unavailable):
        await world.network.attach(attachment)
    assert world.addresses_in_use() == set()
    await world.network.attach(attachment)


def test_network_that_was_taken_away_is_not_ready(world: FakeNetworkWorld) -> None:
    world.network.set_not_ready("no network configuration in /etc/cni/net.d")
    assert world.network.condition().reason == "NetworkPluginNotReady"
    with pytest.raises(Unavailable):
        world.network.current_configuration()
    world.network.set_ready()
    assert world.network.condition().ready
