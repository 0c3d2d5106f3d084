"""The daemon starts, answers, and ends when it is told to, on a node of fakes."""

import asyncio
import logging
import os
import signal
import stat
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import cast

import grpc.aio
import pytest

import cri.daemon
from cri.api import api_pb2
from cri.config import ImageSettings, Settings
from cri.daemon import prepare_directories, run_daemon, shown_settings
from cri.grpc_server import socket_path
from cri.node_assembly import Assembly
from cri.supervisor import TaskSupervisor
from cri.tests.image_service.conftest import FakePuller, FakeStore
from cri.tests.served import runtime_stub
from image.pulls.puller import Puller
from image.store.image_store import ImageStore
from runtime.errors import FailedPrecondition
from runtime.tests.lifecycle.rig import Rig


class WholeStore(FakeStore):
    """A store that also remembers what it was reconciled with."""

    def __init__(self, root: Path) -> None:
        super().__init__()
        self.root = root
        self.owners: list[frozenset[str]] = []

    async def reconcile(self, container_ids: frozenset[str]) -> None:
        self.owners.append(container_ids)


@pytest.fixture(autouse=True)
def process_wide_things() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, mask = root.handlers[:], root.level, os.umask(0o022)
    yield
    os.umask(mask)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(root=str(tmp_path / "root"), state=str(tmp_path / "state"))


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WholeStore:
    fake = WholeStore(tmp_path)

    async def build(
        _settings: Settings, supervisor: TaskSupervisor, stack: AsyncExitStack
    ) -> Assembly:
        rig = Rig(tmp_path)
        rig.node.supervisor = supervisor
        stack.push_async_callback(rig.node.db.close)
        return Assembly(
            node=rig.node,
            store=cast(ImageStore, fake),
            puller=cast(Puller, FakePuller(fake)),
            systemd_cgroups=False,
            findings=[],
        )

    monkeypatch.setattr(cri.daemon, "build_node", build)
    return fake


async def test_it_answers_when_ready_and_ends_by_a_signal(
    settings: Settings, store: WholeStore
) -> None:
    ready = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        daemon = group.create_task(run_daemon(settings, ready=ready.set))
        await ready.wait()
        async with grpc.aio.insecure_channel(settings.cri_address) as channel:
            stub = runtime_stub(channel)
            answer = await stub.Version(api_pb2.VersionRequest())
            assert answer.runtime_name == "lading"
            with pytest.raises(FailedPrecondition, match=f"process {os.getpid()}"):
                await run_daemon(settings)
        os.kill(os.getpid(), signal.SIGTERM)
    assert daemon.result() == 0
    assert store.owners == [frozenset()]
    assert not socket_path(settings.cri_address).exists()


def test_directories_are_for_the_owner_alone_and_repaired(settings: Settings) -> None:
    Path(settings.root).mkdir(mode=0o755)
    prepare_directories(settings, socket_path(settings.cri_address))
    for directory in (settings.root, settings.state):
        assert stat.S_IMODE(os.stat(directory).st_mode) == 0o700


def test_secrets_are_masked_where_settings_are_shown() -> None:
    settings = Settings(image=ImageSettings(proxy="http://me:secret@proxy"))
    assert shown_settings(settings)["image.proxy"] == "***"
    assert shown_settings(Settings())["image.proxy"] == ""
    assert "secret" not in repr(shown_settings(settings))
