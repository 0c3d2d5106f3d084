"""Gauges are read off the node when they are asked for."""

from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest

from cri.metrics.node_gauges import NodeGauges
from cri.tests.image_service.conftest import FakeStore
from cri.tests.sample_records import container_record, image_record, sandbox_record
from runtime.tests.lifecycle.rig import Rig


async def test_the_page_shows_the_node_as_it_is(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.node.show_sandbox(sandbox_record())
    rig.node.show_container(container_record())
    registry = CollectorRegistry()
    registry.register(
        NodeGauges(
            node=rig.node,
            store=FakeStore(images=[image_record()]),
            root=str(tmp_path),
            ready=lambda: {"RuntimeReady": True, "NetworkReady": False},
            streaming=lambda: {"sessions": 3},
        )
    )
    text = generate_latest(registry).decode()
    for line in (
        'lading_pods{state="ready"} 1.0',
        'lading_pods{state="notready"} 0.0',
        'lading_containers{state="running"} 1.0',
        'lading_ready{condition="NetworkReady"} 0.0',
        'lading_store_bytes{kind="images"} 1.0',
        "lading_store_partial_bytes 7.0",
        "lading_image_pull_resumed_bytes_total 8.0",
        "lading_images 1.0",
        'lading_streaming{kind="sessions"} 3.0',
        "lading_tasks ",
        "lading_store_free_bytes ",
    ):
        assert line in text
    assert container_record().id not in text
    await rig.node.db.close()
