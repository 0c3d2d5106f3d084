"""A pod's place in the network: got at run, given back at stop, by what the record says.

DEL gets the configuration and result that ADD had, whatever the configuration is by now. The record says `attached`
from before ADD until DEL was acknowledged, so a lease is never forgotten.
"""

import logging
from dataclasses import replace

from runtime.drivers.cni_plugin import INTERFACE
from runtime.drivers.pod_network import Attachment
from runtime.errors import PodRuntimeError
from runtime.lifecycle.node import Node
from runtime.records.sandbox import PodAddresses, SandboxRecord
from runtime.records.security import NamespaceMode
from runtime.spec.sysctls import sysctl_path
from runtime.store.changes import put_sandbox

log = logging.getLogger(__name__)


def owns_network(record: SandboxRecord) -> bool:
    """Tell whether the pod has a network namespace of its own."""
    return record.config.linux.security.namespaces.network is not NamespaceMode.NODE


async def attach_network(node: Node, record: SandboxRecord) -> SandboxRecord:
    """Run CNI ADD; return the record with what it gave.

    An interface that got no IPv6 address has no IPv6 at all: a link-local one would be a way around IPv4 network policies,
    and for neighbours to reach the pod (security rule I2). A pod that sets sysctls of IPv6 has asked for it.
    """
    result = await node.network.attach(_attachment(node, record))
    if not _has_ipv6(result.addresses) and not _asks_for_ipv6(record):
        await node.host.switch_off_ipv6(node.paths.namespaces(record.id), INTERFACE)
    return replace(record, addresses=result.addresses, network_result=result.result)


async def detach_network(node: Node, record: SandboxRecord) -> None:
    """Run CNI DEL; idempotent, also when ADD never ran to its end."""
    if record.network_attached:
        await node.network.detach(_attachment(node, record))


async def release_network(node: Node, sandbox_id: str) -> None:
    """Give a stopped pod's network back, and remember that it was acknowledged.

    If that cannot be written down, as on a full disk, the next start gives it back once more, which does no harm.
    """
    record = node.sandboxes[sandbox_id]
    if not record.network_attached:
        return
    await detach_network(node, record)
    freed = replace(record, network_attached=False, addresses=PodAddresses())
    node.show_sandbox(freed)
    try:
        await node.db.commit(put_sandbox(freed))
    except PodRuntimeError as error:
        log.error("pod %s: its released network is not written down: %s", sandbox_id, error)


def _has_ipv6(addresses: PodAddresses) -> bool:
    return any(":" in address for address in (addresses.ip, *addresses.additional_ips))


def _asks_for_ipv6(record: SandboxRecord) -> bool:
    return any(sysctl_path(name).startswith("net/ipv6/") for name, _ in record.config.linux.sysctls)


def _attachment(node: Node, record: SandboxRecord) -> Attachment:
    return Attachment(
        sandbox_id=record.id,
        netns=node.paths.namespaces(record.id) / "net",
        config=record.config,
        configuration=record.network_config,
        result=record.network_result,
    )
