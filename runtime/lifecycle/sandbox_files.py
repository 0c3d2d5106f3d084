"""The files that a pod's containers share: hostname, hosts, resolv.conf and /dev/shm, on small tmpfs of their own.

Containers may write them, so they never lie on the shared /run (security rule J2). Only the host's own hosts and
resolv.conf are read here, never anything of a container.
"""

from pathlib import Path

from runtime.lifecycle.node import MIB, Node
from runtime.records.sandbox import SandboxRecord
from runtime.records.security import NamespaceMode
from runtime.spec.hostname_and_dns import hostname_file, hosts_file, resolv_conf
from runtime.spec.request import PodFiles
from runtime.store.bundle_directories import make_private

HOST_SHM = "/dev/shm"  # noqa: S108 - the host's own mount, not a temporary file
_FILES = "files"
_SHM = "shm"


async def make_files(node: Node, record: SandboxRecord) -> None:
    """Write the pod's files and mount its shm."""
    directory = node.paths.pod(record.id)
    make_private(directory)
    shm_bytes = node.settings.shm_bytes if _owns_ipc(record) else 0
    await node.host.make_pod_files(directory, await _texts(node, record), shm_bytes)


async def destroy_files(node: Node, record: SandboxRecord) -> None:
    """Unmount them; idempotent."""
    await node.host.destroy_pod_files(node.paths.pod(record.id))


def paths_of_files(node: Node, record: SandboxRecord) -> PodFiles:
    """Return where the containers' mounts of them come from."""
    directory = node.paths.pod(record.id)
    files = directory / _FILES
    return PodFiles(
        hostname=str(files / "hostname"),
        resolv_conf=str(files / "resolv.conf"),
        hosts=str(files / "hosts"),
        shm=str(directory / _SHM) if _owns_ipc(record) else HOST_SHM,
    )


async def _texts(node: Node, record: SandboxRecord) -> tuple[tuple[str, str], ...]:
    resolver = "" if record.config.dns is not None else await _host_text(node, "etc/resolv.conf")
    hosts = await _host_text(node, "etc/hosts")
    return (
        ("hostname", hostname_file(record.hostname)),
        ("resolv.conf", resolv_conf(record.config.dns, resolver)),
        ("hosts", hosts_file(hosts, record.hostname, record.addresses)),
    )


async def _host_text(node: Node, name: str) -> str:
    content = await node.host.read_below(Path("/"), name, MIB)
    return "" if content is None else content.decode("utf-8", "replace")


def _owns_ipc(record: SandboxRecord) -> bool:
    return record.config.linux.security.namespaces.ipc is not NamespaceMode.NODE
