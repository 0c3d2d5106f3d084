"""The daemon's side of one pull: start a worker, answer its questions, take the image from it.

Promise: whatever the worker sends, or if it hangs or dies, only this pull fails; the worker is dead and reaped when
`run` returns or is cancelled. Imports nothing heavy: HTTP, decompressors and the tar live in the worker.
"""

import asyncio
import logging
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path

from image.errors import DeadlineExceeded, FailedPrecondition, ImageError, Internal, Unavailable
from image.exchange.below_messages import read_question
from image.exchange.channel import Channel
from image.exchange.messages import (
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
from image.model.digest import parse_digest
from image.model.image_config import parse_image_config
from image.model.json_document import JsonObject
from image.model.records import ImageRecord
from image.model.reference import Reference
from image.pulls import below_answers
from image.pulls.neighbours import Neighbours
from image.pulls.worker_pool import RunningWorker, Spawn, WorkerLauncher, WorkerPool
from image.store.chain_ids import chain_ids
from image.store.image_commit import ImageCommit
from image.store.image_store import PullSpace
from image.store.indexed_layer import UNINDEXED
from image.store.layer_claims import ClaimState
from image.store.layer_store import LayerSummary

__all__ = ["PullConversation", "RunningWorker", "WorkerLauncher", "ask_tags", "worker_pool"]

_log = logging.getLogger(__name__)

MAX_LAYERS = 500


class PullConversation:
    """One pull with one worker."""

    def __init__(
        self,
        space: PullSpace,
        reference: Reference,
        no_progress_seconds: float,
        on_event: Callable[[PullEvent], None],
        neighbours: Neighbours | None = None,
        known: ImageRecord | None = None,
        *,
        unpack_seconds: float | None = None,
    ) -> None:
        self._space = space
        self._reference = reference
        self._subject = str(reference)
        self._no_progress = no_progress_seconds
        self._unpack = unpack_seconds or no_progress_seconds
        self._on_event = on_event
        self._stage = "starting the worker"
        self.heard = False  # whether the worker has said anything
        self._waits = 0
        self._neighbours = neighbours or Neighbours()
        self._known = known
        self._slots = 0
        self._workers: WorkerPool | None = None
        self._request: WorkerRequest | None = None

    async def run(self, workers: WorkerPool, request: WorkerRequest) -> ImageRecord:
        """Pull by a worker.

        Raises:
            ImageError: why the pull failed, in the worker's words or ours.
        """
        self._workers, self._request = workers, request
        async with workers.worker() as channel:
            stop_listening = self._neighbours.slots.listen(
                lambda rate: channel.send({"kind": "rate", "bytes_per_second": rate})
            )
            try:
                channel.send(request.message())
                async with asyncio.TaskGroup() as group:
                    return await self._converse(channel, group)
            except BaseExceptionGroup as failures:
                raise failures.exceptions[0] from failures
            finally:
                stop_listening()
                while self._slots:
                    self._give_slot_back()

    async def _converse(self, channel: Channel, group: asyncio.TaskGroup) -> ImageRecord:
        while True:
            message = await self._next(channel)
            self.heard = True
            match message.text("kind"):
                case "config":
                    await self._answer_config(channel, message)
                case "claim":
                    await self._answer_claim(channel, message)
                case "slot":
                    self._waits += 1
                    group.create_task(self._answer_slot(channel, message), name="download-slot")
                case "flight":
                    self._waits += 1
                    group.create_task(self._answer_flight(channel, message), name="blob-flight")
                case "wait":
                    self._waits += 1
                    group.create_task(self._answer_wait(channel, message), name="layer-wait")
                case "below":
                    await self._answer_below(channel, message)
                case "layer":
                    await self._publish(channel, message)
                case "unchanged":
                    return self._unchanged(message)
                case "commit":
                    return await self._commit(message)
                case other:
                    self._take_news(other, message)

    def _take_news(self, kind: str, message: JsonObject) -> None:
        """Take what wants no answer."""
        match kind:
            case "event":
                self._tell(read_event(message))
            case "slot done":
                self._give_slot_back()
            case "flight done":
                self._space.blobs.release(parse_digest(message.text("blob")))
            case "resumed":
                self._space.blobs.note_resumed(message.integer("bytes"))
            case "circuit":
                self._note_circuit(message)
            case "request":
                self._neighbours.note_request(message.text("host"), message.text("answer"))
            case "retry":
                self._neighbours.note_retry(message.text("reason"))
            case "error":
                raise read_error(message)
            case _:
                raise FailedPrecondition(self._subject, f"worker said {kind[:40]!r}")

    async def _next(self, channel: Channel) -> JsonObject:
        while True:
            try:
                async with asyncio.timeout(self._patience):
                    message = await channel.receive()
            except TimeoutError as error:
                if self._waits:
                    continue  # another pull makes a layer; that one has its own deadline
                raise self._stalled() from error
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

    @property
    def _unpacks(self) -> bool:
        return self._stage.startswith(("extracting", "download complete", "pull complete"))

    @property
    def _patience(self) -> float:
        return self._unpack if self._unpacks else self._no_progress

    def _stalled(self) -> DeadlineExceeded:
        """Tell who has stopped: the network while bytes are fetched, the disk while they are unpacked."""
        unpacks = self._unpacks
        return DeadlineExceeded(
            self._subject,
            f"no progress for {self._patience:g} seconds while {self._stage}",
            remedy="check the disk of the image store, then pull again"
            if unpacks
            else "check the registry and the network, then pull again",
            reason="UnpackStalled" if unpacks else "PullStalled",
        )

    def _reply(self, channel: Channel, question: JsonObject, answer: Mapping[str, object]) -> None:
        channel.send({**answer, "ask": question.integer("ask")})

    async def _answer_slot(self, channel: Channel, message: JsonObject) -> None:
        await self._neighbours.slots.acquire(self._reference.domain, message.integer("size"))
        self._slots += 1
        self._waits -= 1
        rate = self._neighbours.slots.rate
        channel.send({"kind": "rate", "bytes_per_second": rate})
        self._reply(channel, message, {"kind": "slot"})

    async def _answer_flight(self, channel: Channel, message: JsonObject) -> None:
        blob = parse_digest(message.text("blob"))
        await self._space.blobs.acquire(blob)
        self._waits -= 1
        self._reply(channel, message, {"kind": "flight", "blob": blob})

    def _give_slot_back(self) -> None:
        if self._slots:
            self._slots -= 1
            self._neighbours.slots.release(self._reference.domain)

    def _note_circuit(self, message: JsonObject) -> None:
        until = message.integer("open_until_ms") / 1000
        url = message.text("url")[:2048]
        self._neighbours.note_circuit(url, message.integer("failures"), until)

    def _unchanged(self, message: JsonObject) -> ImageRecord:
        name = f"{self._reference.name}@{parse_digest(message.text('digest'))}"
        if self._known is None or name not in self._known.repo_digests:
            raise Internal(self._subject, "worker called an image unchanged that is not here")
        return self._known

    def _tell(self, event: PullEvent) -> None:
        if event.status.startswith("Warning: "):
            _log.warning("%s", event.status.removeprefix("Warning: "))
        self._stage = f"{event.status[:1].lower()}{event.status[1:]} {event.layer}".strip()
        self._on_event(event)

    async def _answer_config(self, channel: Channel, message: JsonObject) -> None:
        """Tell what is known of the image: its config, and of its blobs which are here, and which nobody fetches."""
        config = await self._space.config_bytes(parse_digest(message.text("digest")))
        blobs = [parse_digest(text) for text in message.texts("blobs")[:MAX_LAYERS]]
        layers = self._neighbours.known_layers(blobs)
        fresh = [blob for blob in self._space.blobs.want(blobs) if blob not in layers]
        self._reply(
            channel,
            message,
            {
                "kind": "config",
                "config": None if config is None else encode_bytes(config),
                "layers": [asdict(layer) for layer in layers.values()],
                "fresh": fresh,
            },
        )

    async def _answer_claim(self, channel: Channel, message: JsonObject) -> None:
        chains = tuple(parse_digest(text) for text in message.texts("chains"))
        if len(chains) > MAX_LAYERS:
            raise FailedPrecondition(self._subject, f"has more than {MAX_LAYERS} layers")
        self._reply(channel, message, state_fields(await self._space.claim(chains)))

    async def _answer_wait(self, channel: Channel, message: JsonObject) -> None:
        chain_id = parse_digest(message.text("chain"))
        state = await self._space.wait_claim(chain_id)
        self._waits -= 1
        self._reply(channel, message, state_fields({chain_id: state}))

    async def _answer_below(self, channel: Channel, message: JsonObject) -> None:
        """Tell what lies below a layer; one question at a time, and each takes a few seconds at most."""
        about, paths = read_question(message)
        layers = [parse_digest(text) for text in message.texts("layers")[:MAX_LAYERS]]
        try:
            fields = await self._space.look_below(
                layers, lambda below: below_answers.answer(below, about, paths)
            )
        except OSError as error:
            raise Internal(
                self._subject,
                f"layers below cannot be read: {error.strerror}",
                remedy="run `lading image fsck`",
            ) from error
        self._reply(channel, message, fields)

    async def _publish(self, channel: Channel, message: JsonObject) -> None:
        chain_id = parse_digest(message.text("chain"))
        try:
            summary = read_summary(message)
            if summary.kind == UNINDEXED:
                extracted = await self._extract(message, chain_id)
                summary = replace(extracted, parent=summary.parent)
            await self._space.publish_layer(message.text("staged"), chain_id, summary)
        except ImageError as error:
            self._reply(channel, message, error_message(error))
            raise
        self._reply(channel, message, state_fields({chain_id: ClaimState.PRESENT}))
        if spent := message.text("spent", default=""):
            await self._space.blobs.spend(parse_digest(spent))

    async def _extract(self, message: JsonObject, chain_id: str) -> LayerSummary:
        """Have another worker, which may, extract a layer that an index cannot express."""
        if self._workers is None or self._request is None:
            raise Internal(chain_id, "worker handed over a tar without being asked")
        below = [parse_digest(text) for text in message.texts("below")[:MAX_LAYERS]]
        staged = await self._space.seize(message.text("staged"), chain_id)
        request = replace(
            self._request,
            task="extract",
            staging=str(staged),
            below=tuple(below),
            uid=0,
            auth=None,
            proxy="",
        )
        async with self._workers.worker() as channel:
            channel.send(request.message())
            while True:
                answer = await self._next(channel)
                match answer.text("kind"):
                    case "below":
                        await self._answer_below(channel, answer)
                    case "extracted":
                        return read_summary(answer)
                    case other:
                        self._take_news(other, answer)

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


async def ask_tags(workers: WorkerPool, request: WorkerRequest, seconds: float) -> tuple[str, ...]:
    """List the tags of a repository by a worker.

    Raises:
        ImageError: why they could not be listed.
    """
    subject = f"tags of {request.reference}"
    async with workers.worker() as channel:
        channel.send(request.message())
        while True:
            try:
                async with asyncio.timeout(seconds):
                    message = await channel.receive()
            except TimeoutError as error:
                raise DeadlineExceeded(
                    subject, f"no answer within {seconds:g} seconds", reason="PullStalled"
                ) from error
            except FailedPrecondition as error:
                raise Internal(subject, f"worker sent nonsense: {error.cause}") from error
            if message is None:
                raise Unavailable(subject, "worker process ended", reason="WorkerDied")
            match message.text("kind"):
                case "tags":
                    return message.texts("tags")
                case "error":
                    raise read_error(message)
                case _:
                    continue  # what it learnt about endpoints is learnt again by the pulls


def worker_pool(
    launcher: WorkerLauncher, *, keep_seconds: float = 0.0, spawn: Spawn | None = None
) -> WorkerPool:
    """Make the pool of pull workers."""
    return WorkerPool(
        launcher,
        argv=worker_argv,
        environment=worker_environment,
        keep_seconds=keep_seconds,
        spawn=spawn,
    )


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
