"""Asks every endpoint of a reference inside the worker, for an operator's `resolve`.

Promise: one message with the reports, or an error; nothing is fetched or written.
"""

from dataclasses import asdict

from image.exchange.channel import Channel
from image.exchange.messages import WorkerRequest
from image.model.reference import parse_reference
from image.worker.client_making import make_client
from image.worker.daemon_door import DaemonDoor
from image.worker.gathering import Gathered


async def report_endpoints(channel: Channel, request: WorkerRequest, gathered: Gathered) -> None:
    """Answer a request for the endpoints of its reference.

    Raises:
        InvalidArgument: hosts.toml or the credentials have an error.
    """
    reference = parse_reference(request.reference)
    door = DaemonDoor(channel, str(reference))
    async with make_client(request, door, gathered.node) as client:
        reports = await client.report_endpoints(reference, auth=request.auth)
    fields = [
        {**asdict(one), "seconds": None, "milliseconds": round(one.seconds * 1000)}
        for one in reports
    ]
    door.tell({"kind": "endpoints", "endpoints": fields})
    await door.wait_told()
