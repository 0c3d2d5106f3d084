"""The Protocol of a pod network: what gives a pinned network namespace its addresses.

`cni.CniNetwork` implements it with CNI plugins; the fake of the unit tests with a counter. Plain values only.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from runtime.records.sandbox import PodAddresses, SandboxConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkCondition:
    """Whether pods can get a network."""

    ready: bool
    reason: str = ""
    """`NetworkPluginNotReady` when not ready."""
    message: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Attachment:
    """A pod's place in the network: what DEL must be told again."""

    sandbox_id: str
    netns: Path
    config: SandboxConfig
    configuration: str
    """The CNI configuration list (JSON text) in use at ADD."""
    result: str = ""
    """The result (JSON text) of ADD, empty before it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AttachResult:
    """What ADD gave."""

    addresses: PodAddresses
    result: str


class PodNetwork(Protocol):
    """Attaches network namespaces; raises errors of `runtime.errors` alone, each naming the plugin."""

    def condition(self) -> NetworkCondition:
        """Readiness as last seen; never waits."""

    def current_configuration(self) -> str:
        """The configuration list that an attach would use now.

        Raises:
            Unavailable: there is none, or it is not usable.
        """

    async def attach(self, attachment: Attachment) -> AttachResult:
        """CNI ADD of every plugin; on failure DEL of what was done was tried (both failures are told)."""

    async def detach(self, attachment: Attachment) -> None:
        """CNI DEL; idempotent. An absent namespace is passed as an empty path, as CNI allows."""

    async def watch(self) -> None:
        """Follow the configuration directory for ever, so that `condition` is current."""
