"""A node of fakes behind a real streaming server on loopback."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from cri.streaming.server import StreamingServer
from runtime.drivers.driver import ExecStreamRequest
from runtime.lifecycle.container_start import start_container
from runtime.records.container import ContainerRecord
from runtime.tests.fakes.fake_exec_session import FakeExecSession
from runtime.tests.lifecycle.rig import Rig, container_config


class Scene:
    """The server, and short ways to have something to stream with."""

    def __init__(self, rig: Rig, server: StreamingServer) -> None:
        self.rig = rig
        self.server = server

    async def container(
        self, *, stdin: bool = False, stdin_once: bool = False, tty: bool = False
    ) -> ContainerRecord:
        """Start a container."""
        record = await self.rig.container(
            await self.rig.pod(),
            replace(container_config(), stdin=stdin, stdin_once=stdin_once, tty=tty),
        )
        await start_container(self.rig.node, record.id)
        return record

    async def exec_url(self, *, tty: bool = False, stdin: bool = False, stderr: bool = True) -> str:
        """Start a container and ask for an exec in it."""
        record = await self.container()
        request = ExecStreamRequest(command=("x",), terminal=tty, stdin=stdin)
        return self.server.exec_url(record.id, request, stdout=True, stderr=stderr and not tty)

    async def session(self) -> FakeExecSession:
        """Return the first exec session, once there is one."""
        async with asyncio.timeout(30):
            while True:
                for container in self.rig.driver.containers.values():
                    if container.sessions:
                        return container.sessions[0]
                await asyncio.sleep(0)


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    rig = Rig(tmp_path)
    await rig.start()
    server = StreamingServer(rig.node, rig.supervisor, address="127.0.0.1:0", idle_seconds=3600.0)
    await server.start()
    yield Scene(rig, server)
    await server.stop()
    for container in rig.driver.containers.values():
        for session in container.sessions:
            session.close()
        for end in container.attached:
            end.close()
    await rig.kill()
