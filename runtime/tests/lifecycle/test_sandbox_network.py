"""A lease is remembered from before ADD until DEL was acknowledged."""

from dataclasses import replace

import pytest

from runtime.errors import ResourceExhausted
from runtime.lifecycle.sandbox_network import detach_network, owns_network, release_network
from runtime.records.security import NamespaceMode
from runtime.tests.lifecycle.rig import Rig, pod_config


async def test_add_and_delete_get_the_same_attachment(rig: Rig) -> None:
    pod = await rig.pod()
    assert owns_network(pod)
    attachment = rig.network.attached[pod.id]
    assert attachment.netns == rig.node.paths.namespaces(pod.id) / "net"
    assert pod.network_config == attachment.configuration == rig.network.configuration
    assert pod.network_result
    await release_network(rig.node, pod.id)
    await release_network(rig.node, pod.id)
    freed = rig.node.sandbox(pod.id)
    assert (freed.network_attached, freed.addresses.ip) == (False, "")
    assert rig.node.db.load().sandboxes == (freed,)
    assert rig.network.calls == [("attach", pod.id), ("detach", pod.id)]


async def test_the_hosts_network_is_never_attached_or_detached(rig: Rig) -> None:
    pod = await rig.pod(pod_config(network=NamespaceMode.NODE))
    assert not owns_network(pod)
    await detach_network(rig.node, pod)
    assert rig.network.calls == []


async def test_delete_works_without_a_result(rig: Rig) -> None:
    pod = await rig.pod()
    await detach_network(rig.node, replace(pod, network_result=""))
    assert not rig.network.attached


async def test_interface_without_an_ipv6_address_has_no_ipv6(rig: Rig) -> None:
    pod = await rig.pod()
    assert rig.host.called("switch_off_ipv6") == [str(rig.node.paths.namespaces(pod.id))]


async def test_pod_that_got_or_asked_for_ipv6_keeps_it(rig: Rig) -> None:
    config = pod_config()
    asking = replace(config.linux, sysctls=(("net.ipv6.conf.all.forwarding", "1"),))
    await rig.pod(replace(config, linux=asking))
    rig.network.additional_ips = ("fd00::2",)
    await rig.pod(pod_config("six"))
    assert rig.host.called("switch_off_ipv6") == []


async def test_release_that_cannot_be_written_down_is_a_release_all_the_same(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def full(*_: object) -> None:
        raise ResourceExhausted("state database", "the disk is full")

    pod = await rig.pod()
    with monkeypatch.context() as patch:
        patch.setattr(rig.node.db, "commit", full)
        await release_network(rig.node, pod.id)
    assert not rig.node.sandbox(pod.id).network_attached
    assert "not written down" in caplog.text
