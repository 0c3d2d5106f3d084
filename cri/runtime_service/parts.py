"""What the calls of the RuntimeService work with: the node, the images' names, and what start-up found out.

Plain values and Protocols; the daemon fills them in, tests use the node's fakes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from cri.api import api_pb2
from cri.translate.container import container_item
from cri.translate.message_cache import MessageCache
from cri.translate.sandbox import sandbox_item
from image.model.records import ImageRecord
from runtime.drivers.driver import ExecStreamRequest
from runtime.lifecycle.node import Node
from runtime.records.container import ContainerRecord
from runtime.records.sandbox import SandboxRecord


class ImageLookup(Protocol):
    """What is used of the image store."""

    def find(self, text: str) -> ImageRecord | None:
        """Return the image of an id, id prefix, tag, digest or short name."""


class StreamingUrls(Protocol):
    """What is used of the streaming server; each URL is good for one connection within a minute."""

    def exec_url(
        self, container_id: str, request: ExecStreamRequest, *, stdout: bool, stderr: bool
    ) -> str:
        """Return the URL of one exec. Raises ResourceExhausted when too many wait for their client."""

    def attach_url(
        self, container_id: str, *, terminal: bool, stdin: bool, stdout: bool, stderr: bool
    ) -> str:
        """Return the URL of one attach. Raises as exec_url."""

    def port_forward_url(self, sandbox_id: str, ports: tuple[int, ...]) -> str:
        """Return the URL of one port-forward. Raises as exec_url."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Condition:
    """A condition of the runtime as Status tells it."""

    type: str
    """`RuntimeReady` or `NetworkReady`."""
    ready: bool
    reason: str = ""
    message: str = ""
    """What is wrong and what to do about it; empty when ready."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RuntimeParts:
    """Everything that the calls of the RuntimeService need."""

    node: Node
    images: ImageLookup
    streaming: StreamingUrls
    conditions: Callable[[], tuple[Condition, ...]]
    """Asked at every Status; must not wait."""
    systemd_cgroups: bool
    configuration: Mapping[str, object]
    """Settings as Status shows them when asked to be verbose, secrets masked."""
    sandbox_items: MessageCache[SandboxRecord, api_pb2.PodSandbox] = field(
        default_factory=lambda: MessageCache(sandbox_item)
    )
    container_items: MessageCache[ContainerRecord, api_pb2.Container] = field(
        default_factory=lambda: MessageCache(container_item)
    )
