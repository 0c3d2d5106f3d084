"""The registry client of one worker: its settings from the request, and what it learns of endpoints told to the daemon."""

from image.protocol.circuit_breaker import Circuit
from image.registry.client import RegistryClient
from image.registry.endpoint_health import EndpointHealth
from image.registry.node_knowledge import NodeKnowledge
from image.worker.daemon_door import DaemonDoor
from image.worker.messages import WorkerRequest, circuit_fields


def make_client(request: WorkerRequest, door: DaemonDoor, node: NodeKnowledge) -> RegistryClient:
    """Make the client; it is an async context manager."""

    def tell(url: str, circuit: Circuit | None) -> None:
        door.tell({"kind": "circuit", **circuit_fields(url, circuit)})

    return RegistryClient(
        node=node,
        proxy=request.proxy,
        no_proxy=request.no_proxy,
        limits=request.limits,
        health=EndpointHealth(known=dict(request.circuits), listener=tell),
    )
