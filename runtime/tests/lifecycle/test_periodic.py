"""What the node does by itself."""

import asyncio
from dataclasses import replace

import pytest

from runtime.errors import PodRuntimeError, Unavailable
from runtime.lifecycle.container_start import start_container
from runtime.lifecycle.periodic import finish_stops, start_periodic
from runtime.lifecycle.sandbox_stop import stop_sandbox
from runtime.records.resources import CgroupUsage, CpuUsage, MemoryUsage
from runtime.tests.lifecycle.rig import Rig


async def test_failed_clean_ups_are_tried_and_samples_taken_without_being_asked(rig: Rig) -> None:
    rig.node.settings = replace(rig.node.settings, retry_seconds=0, stats_seconds=0)
    container = await rig.container(await rig.pod())
    await start_container(rig.node, container.id)
    rig.host.usage[f"/lading/{container.id}"] = CgroupUsage(
        cpu=CpuUsage(timestamp_ns=1, usage_core_ns=1),
        memory=MemoryUsage(
            timestamp_ns=1,
            usage_bytes=1,
            working_set_bytes=1,
            rss_bytes=1,
            available_bytes=0,
            page_faults=0,
            major_page_faults=0,
        ),
    )
    rig.host.fail("make_pod_files")
    rig.network.fail("detach")
    from runtime.tests.lifecycle.rig import pod_config

    with pytest.raises(PodRuntimeError):
        await rig.pod(pod_config("other"))
    start_periodic(rig.node)
    async with asyncio.timeout(30):
        while rig.node.pending or rig.node.live[container.id].cpu_sample is None:
            await asyncio.sleep(0.001)
    assert len(rig.network.attached) == 1


async def test_only_stops_that_were_asked_for_are_finished(rig: Rig) -> None:
    pod = await rig.pod()
    rig.host.end_process(pod.pause_pid)
    while rig.node.sandbox(pod.id).state == "ready":
        await asyncio.sleep(0)
    await finish_stops(rig.node)
    assert rig.network.attached
    rig.network.fail("detach")
    with pytest.raises(Unavailable):
        await stop_sandbox(rig.node, pod.id)
    await finish_stops(rig.node)
    assert not rig.network.attached
