"""The worker's entry: confine the process, read the request from the socket, pull, report.

Promise: exactly one pull, then the end of the process; if the daemon dies or closes the socket, the process ends at
once. Whatever goes wrong is reported as an error message when the socket still works. Never reads argv beyond the
number of the socket, and nothing of the environment.
"""

import asyncio
import os
import select
import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

from image.errors import Internal
from image.host.privileges import confine
from image.worker.channel import Channel
from image.worker.failures import as_image_error
from image.worker.limits import MEMORY_BYTES, OPEN_FILES, thread_count
from image.worker.messages import error_message, read_request

EXIT_DONE, EXIT_FAILED, EXIT_ORPHANED = 0, 1, 2


def main(socket_fd: int) -> None:
    """Serve one request on the inherited socket, then exit without running what threads may still do."""
    confine(memory_bytes=MEMORY_BYTES, open_files=OPEN_FILES)
    end = socket.socket(fileno=socket_fd)
    end.set_inheritable(False)
    _die_with_daemon(end)
    code = asyncio.run(_serve(end))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _die_with_daemon(end: socket.socket) -> None:
    """End the process when the daemon's end of the socket is closed.

    PR_SET_PDEATHSIG would not do: it fires when the *thread* that started the worker ends (prctl(2)).
    """
    watched = end.dup()

    def watch() -> None:
        poll = select.poll()
        poll.register(watched, select.POLLRDHUP)
        poll.poll()
        os._exit(EXIT_ORPHANED)

    threading.Thread(target=watch, name="daemon-watch", daemon=True).start()


async def _serve(end: socket.socket) -> int:
    channel = await Channel.open(end)
    try:
        await _pull(channel)
    except BaseException as error:  # noqa: BLE001 - the process ends here; the daemon must learn why
        channel.send(error_message(as_image_error(error)))
        await channel.wait_sent()
        code = EXIT_FAILED
    else:
        code = EXIT_DONE
    await channel.close()
    return code


async def _pull(channel: Channel) -> None:
    # Imported only now, confined: it brings the HTTP client and the decompressors. A warm worker has done so
    # before its request comes.
    from image.worker.import_job import ImportJob, list_archive
    from image.worker.pull_job import PullJob
    from image.worker.resolve_job import report_endpoints
    from image.worker.tags_job import list_tags

    message = await channel.receive()
    if message is None:
        raise Internal("pull", "no request came")
    request = read_request(message)
    asyncio.get_running_loop().set_default_executor(
        ThreadPoolExecutor(thread_count(request.max_concurrent_downloads), "layer")
    )
    if request.task == "tags":
        await list_tags(channel, request)
    elif request.task == "resolve":
        await report_endpoints(channel, request)
    elif request.task == "archive":
        await list_archive(channel, request)
    elif request.task == "import":
        await ImportJob(channel, request).run()
    else:
        await PullJob(channel, request).run()
