"""Pod statistics: what was measured is told, what was not is absent."""

from cri.api import api_pb2
from cri.tests.sample_records import SANDBOX_ID, sandbox_record
from cri.tests.translate.test_stats import MEMORY
from cri.translate.pod_stats import NetworkCounters, pod_stats
from runtime.records.resources import CgroupUsage, CpuUsage


def test_all_that_was_measured_is_told() -> None:
    usage = CgroupUsage(
        cpu=CpuUsage(timestamp_ns=1, usage_core_ns=5), memory=MEMORY, pids_current=3
    )
    network = NetworkCounters(
        timestamp_ns=7, interfaces=(("lo", 1, 1), ("eth0", 10, 20), ("net1", 30, 40))
    )
    container = api_pb2.ContainerStats(attributes=api_pb2.ContainerAttributes(id="c"))
    message = pod_stats(sandbox_record(), usage, network, [container])
    assert message.attributes.id == SANDBOX_ID
    assert message.attributes.metadata.name == "web"
    linux = message.linux
    assert linux.cpu.usage_core_nano_seconds.value == 5
    assert linux.memory.rss_bytes.value == 80
    assert linux.process.process_count.value == 3
    assert [one.name for one in linux.network.interfaces] == ["eth0", "net1"]
    assert linux.network.default_interface.rx_bytes.value == 10
    assert linux.network.default_interface.tx_bytes.value == 20
    assert [one.attributes.id for one in linux.containers] == ["c"]


def test_what_was_not_measured_is_absent() -> None:
    linux = pod_stats(sandbox_record(), None, None, []).linux
    for part in ("cpu", "memory", "network", "process"):
        assert not linux.HasField(part)


def test_a_pod_without_eth0_has_no_default_interface() -> None:
    network = NetworkCounters(timestamp_ns=7, interfaces=(("net1", 30, 40),))
    assert not pod_stats(sandbox_record(), None, network, []).linux.network.HasField(
        "default_interface"
    )
