"""Statistics: what was measured is told, what was not is absent."""

from cri.tests.sample_records import CONTAINER_ID, container_record
from cri.translate.stats import container_stats
from runtime.records.resources import (
    CgroupUsage,
    CpuUsage,
    MemoryUsage,
    SwapUsage,
    WritableLayerUsage,
)

MEMORY = MemoryUsage(
    timestamp_ns=2,
    usage_bytes=100,
    working_set_bytes=90,
    rss_bytes=80,
    available_bytes=10,
    page_faults=7,
    major_page_faults=1,
)


def test_all_that_was_measured_is_told() -> None:
    usage = CgroupUsage(
        cpu=CpuUsage(timestamp_ns=1, usage_core_ns=5, usage_nano_cores=0),
        memory=MEMORY,
        swap=SwapUsage(timestamp_ns=3, usage_bytes=4, available_bytes=6),
    )
    layer = WritableLayerUsage(timestamp_ns=9, mountpoint="/m", used_bytes=11, inodes_used=12)
    message = container_stats(container_record(), usage, layer)
    assert message.attributes.id == CONTAINER_ID
    assert message.attributes.metadata.name == "app"
    assert (message.cpu.timestamp, message.cpu.usage_core_nano_seconds.value) == (1, 5)
    assert message.cpu.HasField("usage_nano_cores")
    assert (message.memory.working_set_bytes.value, message.memory.rss_bytes.value) == (90, 80)
    assert message.memory.available_bytes.value == 10
    assert message.swap.swap_usage_bytes.value == 4
    assert message.writable_layer.fs_id.mountpoint == "/m"
    assert message.writable_layer.inodes_used.value == 12


def test_what_was_not_measured_is_absent() -> None:
    usage = CgroupUsage(cpu=CpuUsage(timestamp_ns=1, usage_core_ns=5), memory=MEMORY)
    message = container_stats(container_record(), usage, None)
    assert not message.cpu.HasField("usage_nano_cores")
    assert not message.HasField("swap")
    assert not message.HasField("writable_layer")
