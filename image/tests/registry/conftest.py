"""Shared pieces of the registry tests: a client without pauses, and a hosts.toml directory."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pytest

from image.protocol.retry_policy import RetryPolicy
from image.protocol.transport_limits import TransportLimits
from image.registry.client import RegistryClient
from image.registry.endpoint_health import EndpointHealth
from image.registry.node_knowledge import NodeKnowledge

WriteHosts = Callable[[str, str], None]

# pytest-asyncio asks for "the" loop before it sets its own; without this word Python makes one that nobody closes
asyncio.set_event_loop(None)


class MakeClient(Protocol):
    """Makes a client whose deadlines are short and whose pauses are none."""

    def __call__(
        self,
        *,
        retry: RetryPolicy = ...,
        stall: float = ...,
        health: EndpointHealth | None = ...,
    ) -> RegistryClient: ...


NO_PAUSE = RetryPolicy(first_wait=0.0)


@pytest.fixture
def certs_d(tmp_path: Path) -> Path:
    directory = tmp_path / "certs.d"
    directory.mkdir()
    return directory


@pytest.fixture
def make_client(certs_d: Path) -> MakeClient:
    def make(
        *,
        retry: RetryPolicy = NO_PAUSE,
        stall: float = 20.0,
        health: EndpointHealth | None = None,
    ) -> RegistryClient:
        limits = TransportLimits(connect=20.0, first_byte=stall, window=stall)
        node = NodeKnowledge(registry_config_path=certs_d)
        return RegistryClient(node=node, limits=limits, retry=retry, health=health)

    return make


@pytest.fixture
def write_hosts(certs_d: Path) -> WriteHosts:
    def write(domain: str, text: str) -> None:
        directory = certs_d / domain
        directory.mkdir()
        (directory / "hosts.toml").write_text(text)

    return write
