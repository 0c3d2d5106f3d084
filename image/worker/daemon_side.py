"""The daemon's side of one pull: start a worker, answer its questions, take the image from it.

Promise: whatever the worker sends, or if it hangs or dies, only this pull fails; the worker is dead and reaped when
`run` returns or is cancelled. Imports nothing heavy: HTTP, decompressors and the tar live in the worker.
"""

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from image.errors import DeadlineExceeded, FailedPrecondition, ImageError, Internal, Unavailable
from image.model.digest import parse_digest
from image.model.image_config import parse_image_config
from image.model.json_document import JsonObject
from image.model.records import ImageRecord
from image.model.reference import Reference
from image.store.chain_ids import chain_ids
from image.store.image_commit import ImageCommit
from image.store.image_store import PullSpace
from image.store.layer_claims import ClaimState
from image.worker.channel import Channel
from image.worker.messages import (
    PullEvent,
    WorkerRequest,
    encode_bytes,
    error_message,
    read_commit,
    read_error,
    read_event,
    read_summary,
    state_fields,
)

MAX_LAYERS = 500


class RunningWorker(Protocol):
    """A worker process that was started."""

    @property
    def pid(self) -> int:
        """Its process id."""

    async def wait(self) -> int:
        """Wait until it has ended and was reaped; return its exit code, negative for a signal."""

    def kill(self) -> None:
        """Send SIGKILL; fine when it has ended."""


class WorkerLauncher(Protocol):
    """Starts worker processes; the daemon's own sees to it that its one reaper knows each child."""

    async def launch(
        self, argv: Sequence[str], *, env: Mapping[str, str], pass_fds: Sequence[int]
    ) -> RunningWorker:
        """Start a program with these descriptors kept open under their numbers, and no others but 0 to 2."""


class PullConversation:
    """One pull with one worker."""

    def __init__(
        self,
        space: PullSpace,
        reference: Reference,
        no_progress_seconds: float,
        on_event: Callable[[PullEvent], None],
    ) -> None:
        self._space = space
        self._reference = reference
        self._subject = str(reference)
        self._no_progress = no_progress_seconds
        self._on_event = on_event
        self._stage = "starting the worker"
        self._waits = 0
        self._known: ImageRecord | None = None

    async def run(self, launcher: WorkerLauncher, request: WorkerRequest) -> ImageRecord:
        """Pull by a worker.

        Raises:
            ImageError: why the pull failed, in the worker's words or ours.
        """
        async with _worker(launcher) as channel:
            channel.send(request.message())
            try:
                async with asyncio.TaskGroup() as group:
                    return await self._converse(channel, group)
            except BaseExceptionGroup as failures:
                raise failures.exceptions[0] from failures

    async def _converse(self, channel: Channel, group: asyncio.TaskGroup) -> ImageRecord:
        while True:
            message = await self._next(channel)
            match message.text("kind"):
                case "event":
                    self._tell(read_event(message))
                case "config":
                    await self._answer_config(channel, message)
                case "claim":
                    await self._answer_claim(channel, message)
                case "wait":
                    self._waits += 1
                    group.create_task(self._answer_wait(channel, message), name="layer-wait")
                case "layer":
                    await self._publish(channel, message)
                case "commit":
                    return await self._commit(message)
                case "error":
                    raise read_error(message)
                case other:
                    raise FailedPrecondition(self._subject, f"worker said {other[:40]!r}")

    async def _next(self, channel: Channel) -> JsonObject:
        while True:
            try:
                async with asyncio.timeout(self._no_progress):
                    message = await channel.receive()
            except TimeoutError as error:
                if self._waits:
                    continue  # another pull makes a layer; that one has its own deadline
                raise DeadlineExceeded(
                    self._subject,
                    f"no progress for {self._no_progress:g} seconds while {self._stage}",
                    remedy="check the registry and the network, then pull again",
                    reason="PullStalled",
                ) from error
            except FailedPrecondition as error:
                raise Internal(self._subject, f"worker sent nonsense: {error.cause}") from error
            if message is None:
                raise Unavailable(
                    self._subject,
                    f"worker process ended while {self._stage}",
                    remedy="pull again; if it repeats, look for the kernel's out-of-memory messages",
                    reason="WorkerDied",
                )
            return message

    def _tell(self, event: PullEvent) -> None:
        self._stage = f"{event.status[:1].lower()}{event.status[1:]} {event.layer}".strip()
        self._on_event(event)

    async def _answer_config(self, channel: Channel, message: JsonObject) -> None:
        config = await self._space.config_bytes(parse_digest(message.text("digest")))
        channel.send({"kind": "config", "config": None if config is None else encode_bytes(config)})

    async def _answer_claim(self, channel: Channel, message: JsonObject) -> None:
        chains = tuple(parse_digest(text) for text in message.texts("chains"))
        if len(chains) > MAX_LAYERS:
            raise FailedPrecondition(self._subject, f"has more than {MAX_LAYERS} layers")
        channel.send(state_fields(await self._space.claim(chains)))

    async def _answer_wait(self, channel: Channel, message: JsonObject) -> None:
        chain_id = parse_digest(message.text("chain"))
        state = await self._space.wait_claim(chain_id)
        self._waits -= 1
        channel.send(state_fields({chain_id: state}))

    async def _publish(self, channel: Channel, message: JsonObject) -> None:
        chain_id = parse_digest(message.text("chain"))
        try:
            await self._space.publish_layer(message.text("staged"), chain_id, read_summary(message))
        except ImageError as error:
            channel.send(error_message(error))
            raise
        channel.send(state_fields({chain_id: ClaimState.PRESENT}))

    async def _commit(self, message: JsonObject) -> ImageRecord:
        commit = read_commit(message, self._reference)
        self._check(commit)
        return await self._space.commit(commit)

    def _check(self, commit: ImageCommit) -> None:
        """Compare what the worker says with what can be computed; digests of the bytes are checked by the store."""
        config = parse_image_config(commit.config, subject=f"config of {self._subject}")
        said = [(layer.diff_id, layer.chain_id) for layer in commit.layers]
        if said != list(zip(config.diff_ids, chain_ids(config.diff_ids), strict=True)):
            raise Internal(self._subject, "worker handed over other layers than the config names")
        wanted = self._reference.digest
        if wanted is not None and commit.target_digest != wanted:
            raise Internal(self._subject, "worker handed over another image than was asked for")


@contextlib.asynccontextmanager
async def _worker(launcher: WorkerLauncher) -> AsyncIterator[Channel]:
    """Run a worker with a channel to it; it is dead and reaped afterwards, whatever happens."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    try:
        running = await launcher.launch(
            worker_argv(theirs.fileno()), env=worker_environment(), pass_fds=(theirs.fileno(),)
        )
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    channel = await Channel.open(ours)
    try:
        yield channel
    finally:
        running.kill()
        await channel.close()
        await running.wait()


def worker_argv(socket_fd: int) -> tuple[str, ...]:
    """Return the command line of a worker.

    `-I` keeps environment and current directory out of the import path (security rule A2), so the place of this very
    package is passed on: the same code runs from a source checkout and from an installation.
    """
    place = str(Path(__file__).resolve().parents[2])
    code = (
        "import sys; place = sys.argv.pop(1); place in sys.path or sys.path.insert(0, place);"
        " from image.worker.main import main; main(int(sys.argv[1]))"
    )
    return (sys.executable, "-I", "-c", code, place, str(socket_fd))


def worker_environment() -> dict[str, str]:
    """Return the environment of a worker: nothing but where certificates are, if that was set."""
    kept = ("SSL_CERT_FILE", "SSL_CERT_DIR", "TZ")
    return {"LANG": "C.UTF-8", **{name: os.environ[name] for name in kept if name in os.environ}}
