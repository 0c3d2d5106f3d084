"""Lists the tags of a repository inside the worker, for a pull of all of them.

Promise: one message with the tags, or an error; nothing is fetched or written.
"""

from image.exchange.channel import Channel
from image.exchange.messages import WorkerRequest
from image.model.reference import parse_reference
from image.worker.client_making import make_client
from image.worker.daemon_door import DaemonDoor
from image.worker.gathering import Gathered


async def list_tags(channel: Channel, request: WorkerRequest, gathered: Gathered) -> None:
    """Answer a request for the tags of its reference's repository.

    Raises:
        ImageError: they could not be listed.
    """
    reference = parse_reference(request.reference)
    door = DaemonDoor(channel, reference.name)
    async with make_client(request, door, gathered.node) as client:
        tags = await client.list_tags(reference, auth=request.auth)
    door.tell({"kind": "tags", "tags": list(tags)})
    await door.wait_told()
