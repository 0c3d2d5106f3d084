"""The worker's entry: confine the process, read the request, gather what needs rights, give these up, pull, report.

Promise: exactly one request, then the end of the process; if the daemon dies or closes the socket, the process ends at
once. No byte of a registry or an image is met before rights are given up. Whatever goes wrong is reported as an error
message when the socket still works. Never reads argv beyond the number of the socket, and nothing of the environment.
"""

import asyncio
import os
import select
import socket
import sys
import threading
import time
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import TYPE_CHECKING

from image.errors import Unavailable
from image.exchange.channel import Channel, receive_first
from image.exchange.messages import WorkerRequest, error_message, read_request
from image.host.privileges import confine
from image.worker.confinement import give_up
from image.worker.failures import as_image_error
from image.worker.limits import MEMORY_BYTES, OPEN_FILES, thread_count

if TYPE_CHECKING:
    from image.worker.gathering import Gathered

EXIT_DONE, EXIT_FAILED, EXIT_ORPHANED = 0, 1, 2

_NEEDED_LATER = (
    "encodings.ascii",
    "encodings.idna",
    "encodings.latin_1",
    "stringprep",
    "unicodedata",
    "cryptography.hazmat.backends.openssl.backend",
)
"""Modules that libraries load on their first use: Python may be installed where only root can read."""

_THREAD_SECONDS = 5.0
"""For threads that have done their work to be gone."""


def main(socket_fd: int) -> None:
    """Serve one request on the inherited socket, then exit without running what threads may still do."""
    confine(memory_bytes=MEMORY_BYTES, open_files=OPEN_FILES)
    end = socket.socket(fileno=socket_fd)
    end.set_inheritable(False)
    end.setblocking(True)
    code = _serve(end)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _serve(end: socket.socket) -> int:
    try:
        # Imported only now, confined: it brings the HTTP client and the decompressors. A warm worker has done so
        # before its request comes.
        from image.worker import extract_job, import_job, originals_job, resolve_job, tags_job  # noqa: F401
        from image.worker.gathering import gather

        for name in _NEEDED_LATER:
            import_module(name)
        message = receive_first(end)
        if message is None:
            return EXIT_ORPHANED
        request = read_request(message)
        gathered = asyncio.run(_while_daemon_lives(end, gather(request)))
        _wait_alone()
        request = give_up(request)
    except BaseException as error:  # noqa: BLE001 - the process ends here; the daemon must learn why
        return asyncio.run(_tell(end, error))
    _die_with_daemon(end)
    return asyncio.run(_work(end, request, gathered))


async def _while_daemon_lives(
    end: socket.socket, work: "Coroutine[object, object, Gathered]"
) -> "Gathered":
    """Do something, but end the process with the daemon; without a thread, since none may be left afterwards."""
    loop = asyncio.get_running_loop()

    def look() -> None:
        if end.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b"":
            os._exit(EXIT_ORPHANED)
        loop.remove_reader(end)  # a message, which the channel will read

    loop.add_reader(end, look)
    try:
        return await work
    finally:
        loop.remove_reader(end)


def _wait_alone() -> None:
    """Wait until threads of what was done before are gone; Python ends them a moment after their work."""
    deadline = time.monotonic() + _THREAD_SECONDS
    while len(os.listdir("/proc/self/task")) > 1:
        if time.monotonic() > deadline:
            raise Unavailable("pull worker", "a thread would not end", reason="WorkerUnavailable")
        time.sleep(0.001)


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


async def _tell(end: socket.socket, error: BaseException) -> int:
    """Report what went wrong before the work began."""
    channel = await Channel.open(end)
    channel.send(error_message(as_image_error(error)))
    await channel.wait_sent()
    await channel.close()
    return EXIT_FAILED


async def _work(end: socket.socket, request: WorkerRequest, gathered: "Gathered") -> int:
    channel = await Channel.open(end)
    try:
        await _pull(channel, request, gathered)
    except BaseException as error:  # noqa: BLE001 - the process ends here; the daemon must learn why
        channel.send(error_message(as_image_error(error)))
        await channel.wait_sent()
        code = EXIT_FAILED
    else:
        code = EXIT_DONE
    await channel.close()
    return code


async def _pull(channel: Channel, request: WorkerRequest, gathered: "Gathered") -> None:
    from image.worker.extract_job import extract_layer
    from image.worker.import_job import ImportJob, list_archive
    from image.worker.originals_job import OriginalsJob
    from image.worker.pull_job import PullJob
    from image.worker.resolve_job import report_endpoints
    from image.worker.tags_job import list_tags

    asyncio.get_running_loop().set_default_executor(
        ThreadPoolExecutor(thread_count(request.max_concurrent_downloads), "layer")
    )
    if request.task == "tags":
        await list_tags(channel, request, gathered)
    elif request.task == "resolve":
        await report_endpoints(channel, request, gathered)
    elif request.task == "extract":
        await extract_layer(channel, request)
    elif request.task == "archive":
        await list_archive(channel, request)
    elif request.task == "import":
        await ImportJob(channel, request, gathered).run()
    elif request.task == "originals":
        await OriginalsJob(channel, request, gathered).run()
    else:
        await PullJob(channel, request, gathered).run()
