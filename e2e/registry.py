"""A real registry (Debian's docker-registry) on a free loopback port, and the mirror rules that
lead to it.

The rules make registry.k8s.io, k8s.gcr.io and gcr.io resolve to loopback; nothing outside is ever
asked.
"""

from __future__ import annotations

import http.client
import json
import random
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from e2e.images.catalogue import NamedImage
from e2e.images.push import push_all
from e2e.managed_process import ManagedProcess
from e2e.tool_paths import system_tool

MIRRORED_HOSTS = ("registry.k8s.io", "k8s.gcr.io", "gcr.io")

RULE = """server = "http://{address}"

[host."http://{address}"]
  capabilities = ["pull", "resolve"]
"""


def free_port() -> int:
    """Return a loopback port nobody listens on right now, below those that the kernel gives to outgoing connections.

    One of the kernel's own could be taken by any connection between now and its use.
    """
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = random.SystemRandom().randrange(min(10_000, lowest - 1000), lowest)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def write_mirror_rules(folder: Path, address: str, hosts: Iterable[str] = MIRRORED_HOSTS) -> None:
    """Write HOST/hosts.toml for each host, in the form containerd and Lading share."""
    for host in hosts:
        (folder / host).mkdir(parents=True, exist_ok=True)
        (folder / host / "hosts.toml").write_text(RULE.format(address=address))


class Registry:
    """One docker-registry with its data below a folder."""

    def __init__(self, folder: Path) -> None:
        """Choose a port and write the configuration; nothing runs yet."""
        folder.mkdir(parents=True, exist_ok=True)
        self.address = f"127.0.0.1:{free_port()}"
        self.rules = folder / "certs.d"
        configuration = {
            "version": 0.1,
            "log": {"level": "warn", "accesslog": {"disabled": True}},
            "storage": {
                "filesystem": {"rootdirectory": str(folder / "data")},
                "delete": {"enabled": True},
            },
            "http": {"addr": self.address, "secret": "only for this run"},
        }
        # JSON is YAML, so no YAML writer is needed.
        path = folder / "config.yml"
        path.write_text(json.dumps(configuration))
        command = [str(system_tool("docker-registry")), "serve", str(path)]
        self.process = ManagedProcess("docker-registry", command, folder / "registry.log")

    def start(self) -> None:
        """Start it, wait for its first answer, and write the mirror rules."""
        self.process.start()
        self.process.wait_ready(self.answers)
        write_mirror_rules(self.rules, self.address)

    def answers(self) -> bool:
        """Tell whether the API root answers."""
        connection = http.client.HTTPConnection(self.address, timeout=2)
        try:
            connection.request("GET", "/v2/")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def push(self, images: Iterable[NamedImage]) -> None:
        """Push images by the registry's HTTP API."""
        push_all(self.address, images)

    def stop(self) -> None:
        """End the registry; its data stays until the folder goes."""
        self.process.terminate(5.0)


@contextmanager
def running_registry(folder: Path, images: Iterable[NamedImage]) -> Iterator[Registry]:
    """Give a registry that serves the images, and end it afterwards."""
    registry = Registry(folder)
    registry.start()
    try:
        registry.push(images)
        yield registry
    finally:
        registry.stop()
