"""What a worker reads of its node before it gives up the right to: the first step of gather, give up, pull.

Promise: nothing here meets a byte of a registry or an image; what the network will want of this node's files and
credential helpers is in `Gathered`, and nothing of it is read later.
"""

from dataclasses import dataclass
from pathlib import Path

from image.exchange.messages import WorkerRequest
from image.model.reference import parse_reference
from image.policy.image_check import read_keys
from image.policy.policy_file import ACCEPT_ALL, Policy
from image.policy.policy_reading import read_policy
from image.policy.public_keys import PublicKey
from image.registry.node_knowledge import NodeKnowledge

_FROM_FILES = ("archive", "import", "extract")
"""Tasks that ask no registry. Their policy is whoever handed the file over."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Gathered:
    """All that was read."""

    node: NodeKnowledge
    policy: Policy = ACCEPT_ALL
    keys: tuple[PublicKey, ...] = ()
    """Of the policy's rule for the reference."""


async def gather(request: WorkerRequest) -> Gathered:
    """Read policy and keys, hosts.toml, certificates and config.json, and ask the credential helpers.

    Raises:
        InvalidArgument: policy, keys, hosts.toml or the reference have an error.
    """
    node = NodeKnowledge(
        registry_config_path=Path(request.registry_config_path),
        docker_config_path=request.docker_config_path,
    )
    if request.task in _FROM_FILES:
        return Gathered(node=node)
    reference = parse_reference(request.reference)
    policy = await read_policy(request.policy_path)
    keys = await read_keys(policy, reference)
    await node.learn(reference, request.auth)
    return Gathered(node=node, policy=policy, keys=keys)
