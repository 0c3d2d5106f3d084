"""The daemon's parts reach the admin socket and the metrics page."""

import asyncio
from pathlib import Path
from typing import cast

from cri.config import MetricsSettings, Settings
from cri.node_assembly import Assembly
from cri.operator_access import OperatorAccess, make_instruments
from cri.runtime_service.parts import Condition
from cri.supervisor import TaskSupervisor
from cri.tests.image_service.conftest import FakePuller, FakeStore
from image.pulls.puller import Puller
from image.store.image_store import ImageStore
from runtime.tests.lifecycle.rig import Rig


class RootedStore(FakeStore):
    """A store with a place on disk."""

    def __init__(self, root: Path) -> None:
        super().__init__()
        self.root = root


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str) -> str:
    writer.write(f"GET {path} HTTP/1.1\r\nHost: l\r\nConnection: close\r\n\r\n".encode())
    text = (await reader.read()).decode()
    writer.close()
    await writer.wait_closed()
    return text


async def test_operators_and_scrapers_are_served(tmp_path: Path) -> None:
    rig, supervisor, store = Rig(tmp_path), TaskSupervisor(), RootedStore(tmp_path)
    address = f"unix://{tmp_path}/admin.sock"
    settings = Settings(state=str(tmp_path), metrics=MetricsSettings(address="127.0.0.1:0"))
    assembly = Assembly(
        node=rig.node,
        store=cast(ImageStore, store),
        puller=cast(Puller, FakePuller(store)),
        systemd_cgroups=False,
        findings=[],
    )
    access = OperatorAccess(
        settings=settings,
        assembly=assembly,
        supervisor=supervisor,
        instruments=make_instruments(),
        conditions=lambda: (Condition(type="RuntimeReady", ready=False, reason="R", message="m"),),
        streaming=lambda: {"sessions": 0},
    )
    await access.start()
    try:
        path = address.removeprefix("unix://")
        told = await answer(*await asyncio.open_unix_connection(path), "/v1/status")
        assert '"verdict": "not ready"' in told
        page = await answer(*await asyncio.open_unix_connection(path), "/metrics")
        assert 'lading_ready{condition="RuntimeReady"} 0.0' in page
        assert "lading_image_pulls_in_flight 0.0" in page
        assert 'lading_streaming{kind="sessions"} 0.0' in page
    finally:
        await access.stop()
        await supervisor.stop()
        await rig.node.db.close()
