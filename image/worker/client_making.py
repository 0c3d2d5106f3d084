"""The registry client of one worker: its settings from the request, and what it learns of endpoints told to the daemon."""

from image.exchange.messages import (
    RETRYING,
    PullEvent,
    WorkerRequest,
    circuit_fields,
    event_message,
)
from image.protocol.circuit_breaker import Circuit
from image.protocol.endpoint_outcome import Outcome
from image.registry.client import RegistryClient
from image.registry.endpoint_health import EndpointHealth
from image.registry.node_knowledge import NodeKnowledge
from image.worker.daemon_door import DaemonDoor


class _Teller:
    """Tells the daemon of requests and pauses; see `RequestListener`."""

    def __init__(self, door: DaemonDoor) -> None:
        self._door = door

    def answered(self, host: str, answer: str) -> None:
        self._door.tell({"kind": "request", "host": host, "answer": answer})

    def pauses(self, seconds: float, last: Outcome) -> None:
        self._door.tell({"kind": "retry", "reason": last.kind.value})
        status = f"{RETRYING}{seconds:.0f} s: {last}"
        self._door.tell(event_message(PullEvent(status=status)))


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
        listener=_Teller(door),
    )
