"""A node of fakes behind a real server."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cri.api import api_pb2
from cri.runtime_service.parts import Condition, RuntimeParts
from cri.runtime_service.service import runtime_methods
from cri.tests.sample_records import (
    container_config_message,
    image_record,
    sandbox_config_message,
)
from cri.tests.served import channel_to, runtime_stub
from image.model.records import ImageRecord
from runtime.drivers.driver import ExecStreamRequest
from runtime.tests.lifecycle.rig import Rig

if TYPE_CHECKING:
    from cri.api.api_pb2_grpc import RuntimeServiceAsyncStub


@dataclass
class OneImage:
    """A store that holds one image until it is taken away."""

    image: ImageRecord | None = field(default_factory=image_record)

    def find(self, text: str) -> ImageRecord | None:
        known = self.image
        if known is None:
            return None
        return known if text in (known.id, *known.repo_tags, *known.repo_digests) else None


@dataclass
class UrlBook:
    """A streaming server that writes down what it is asked for."""

    asked: list[tuple[object, ...]] = field(default_factory=list)

    def exec_url(
        self, container_id: str, request: ExecStreamRequest, *, stdout: bool, stderr: bool
    ) -> str:
        self.asked.append((container_id, request, stdout, stderr))
        return "http://stream.test/exec/token"

    def attach_url(
        self, container_id: str, *, terminal: bool, stdin: bool, stdout: bool, stderr: bool
    ) -> str:
        self.asked.append((container_id, terminal, stdin, stdout, stderr))
        return "http://stream.test/attach/token"

    def port_forward_url(self, sandbox_id: str, ports: tuple[int, ...]) -> str:
        self.asked.append((sandbox_id, ports))
        return "http://stream.test/portforward/token"


@dataclass
class Served:
    """A client, and what is behind the server."""

    runtime: "RuntimeServiceAsyncStub"
    rig: Rig
    images: OneImage
    parts: RuntimeParts
    urls: UrlBook

    async def pod(self, name: str = "web") -> str:
        config = sandbox_config_message()
        config.metadata.name = name
        request = api_pb2.RunPodSandboxRequest(config=config)
        return (await self.runtime.RunPodSandbox(request)).pod_sandbox_id

    async def container(self, pod: str, name: str = "app") -> str:
        config = container_config_message()
        config.metadata.name = name
        request = api_pb2.CreateContainerRequest(pod_sandbox_id=pod, config=config)
        return (await self.runtime.CreateContainer(request)).container_id

    async def started(self, pod: str, name: str = "app") -> str:
        id = await self.container(pod, name)
        await self.runtime.StartContainer(api_pb2.StartContainerRequest(container_id=id))
        return id


@pytest.fixture
async def cri(tmp_path: Path) -> AsyncIterator[Served]:
    rig = Rig(tmp_path)
    await rig.start()
    images = OneImage()
    urls = UrlBook()
    parts = RuntimeParts(
        node=rig.node,
        images=images,
        streaming=urls,
        conditions=lambda: (
            Condition(type="RuntimeReady", ready=True),
            Condition(type="NetworkReady", ready=False, reason="R", message="no network; add one"),
        ),
        systemd_cgroups=False,
        configuration={"log.level": "info"},
    )
    async with channel_to(tmp_path, runtime_methods(parts)) as channel:
        yield Served(runtime=runtime_stub(channel), rig=rig, images=images, parts=parts, urls=urls)
        rig.node.events.close()
    await rig.kill()
