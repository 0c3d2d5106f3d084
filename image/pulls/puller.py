"""Pull images: one worker process per pull, equal pulls joined, present digests answered at once.

Promise: an image is registered whole or not at all; credentials never leave the request to the worker; a pull ends
when the last one who waits for it leaves. Never touches the network or a tar itself, and imports nothing that does,
so that the daemon stays small and its loop stays quick.
"""

import asyncio
import os
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from image.errors import ImageError, Internal, Unavailable
from image.exchange.messages import PullEvent
from image.model.platform import Platform, host_platform, parse_platform, same_machine
from image.model.records import ImageRecord, RegistryAuth
from image.model.reference import Reference, parse_bare_name, parse_reference
from image.policy.import_check import check_import
from image.policy.policy_reading import read_policy
from image.protocol.endpoint_outcome import EndpointReport
from image.pulls.archive_question import ArchiveListing, ask_archive
from image.pulls.download_slots import DownloadSlots
from image.pulls.endpoint_question import ask_endpoints
from image.pulls.neighbours import Neighbours
from image.pulls.originals import Originals
from image.pulls.pull_picture import PullPicture
from image.pulls.pull_requests import PullKey, RequestMaker
from image.pulls.pull_settings import PullSettings
from image.pulls.running_pull import PullObserver, RunningPull
from image.pulls.shared_pull import SharedPull
from image.pulls.worker_conversation import PullConversation, ask_tags, worker_pool
from image.pulls.worker_pool import RunningWorker, WorkerLauncher
from image.store.image_store import ImageStore, PullSpace

__all__ = [
    "PullEvent",
    "PullSettings",
    "PulledTags",
    "Puller",
    "RunningPull",
    "RunningWorker",
    "Supervisor",
    "WorkerLauncher",
]


RESOLVE_SECONDS = 110.0
"""For asking a dozen endpoints of which some do not answer."""


ARCHIVE_SECONDS = 1800.0
"""For reading through an archive of many gigabytes, and unpacking it when it is packed."""


class Supervisor(Protocol):
    """Keeps tasks that outlive the call that started them; the daemon hands one in."""

    def spawn(self, coroutine: Coroutine[object, object, None], *, name: str) -> asyncio.Task[None]:
        """Run a coroutine as a named task and keep it alive."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PulledTags:
    """What a pull of all tags of a repository gave."""

    records: tuple[ImageRecord, ...]
    """One per tag, in the registry's order."""
    pulled_new: bool
    """Whether any tag is new or means another image than before."""


class Puller:
    """Pulls images into one store."""

    def __init__(
        self,
        store: ImageStore,
        settings: PullSettings,
        launcher: WorkerLauncher,
        supervisor: Supervisor,
        observer: PullObserver | None = None,
    ) -> None:
        self._store = store
        self._settings = settings
        self._supervisor = supervisor
        self._workers = worker_pool(
            launcher,
            keep_seconds=settings.warm_worker_seconds,
            spawn=lambda coroutine, name: supervisor.spawn(coroutine, name=name),
        )
        self._neighbours = Neighbours(
            slots=DownloadSlots(
                total=settings.max_downloads,
                per_registry=settings.max_downloads_per_registry,
                bytes_per_second=settings.max_bytes_per_second,
            ),
            images=store.list_images,
            observer=observer,
        )
        self._requests = RequestMaker(store=store, settings=settings, neighbours=self._neighbours)
        self.originals = Originals(requests=self._requests, workers=self._workers)
        self._observer = observer
        self._running: dict[PullKey, SharedPull] = {}

    @property
    def observer(self) -> PullObserver | None:
        """Who hears of pulls and requests."""
        return self._observer

    @observer.setter
    def observer(self, observer: PullObserver) -> None:
        self._observer = self._neighbours.observer = observer

    async def pull(
        self,
        reference_text: str,
        *,
        auth: RegistryAuth | None = None,
        platform: str = "",
        on_event: Callable[[PullEvent], None] | None = None,
        caller: str = "cri",
    ) -> ImageRecord:
        """Pull an image and return it; a bare name means `:latest`. `caller` is shown to operators.

        Raises:
            InvalidArgument: the reference or the platform cannot be understood.
            ImageError: why the pull failed.
        """
        reference = parse_reference(reference_text)
        wanted = platform or self._settings.platform
        if wanted:
            parse_platform(wanted)
        present = self._present(reference, wanted)
        if present is not None:
            if on_event:
                on_event(PullEvent(status=f"Status: Image is up to date for {reference}"))
            if self._observer is not None:
                self._observer.pull_ended(PullPicture(time.monotonic).outcome(""))
            return present
        return await self._join(PullKey(reference, wanted, auth), on_event, caller)

    async def pull_all_tags(
        self,
        name: str,
        *,
        auth: RegistryAuth | None = None,
        platform: str = "",
        on_event: Callable[[PullEvent], None] | None = None,
        caller: str = "operator",
    ) -> PulledTags:
        """Pull every tag of a repository, one after the other; the first that fails ends it (pull rule 1.2).

        Raises:
            InvalidArgument: `name` has a tag or a digest, or is no name.
            NotFound: the registry does not know the repository.
            ImageError: why the list or a tag could not be pulled; its subject names the tag.
        """
        reference = parse_bare_name(name)
        request = self._requests.make(PullKey(reference, "", auth), "", task="tags")
        tags = await ask_tags(self._workers, request, self._settings.no_progress_seconds)
        records = []
        pulled_new = False
        for tag in tags:
            tagged = str(reference.with_tag(tag))
            before = self._store.find(tagged)
            record = await self.pull(
                tagged, auth=auth, platform=platform, on_event=on_event, caller=caller
            )
            pulled_new = pulled_new or before is None or before.id != record.id
            records.append(record)
        return PulledTags(records=tuple(records), pulled_new=pulled_new)

    async def endpoints(
        self, reference_text: str, *, auth: RegistryAuth | None = None
    ) -> tuple[EndpointReport, ...]:
        """Ask every endpoint of a reference what it says, as a pull would; downloads nothing.

        Raises:
            InvalidArgument: the reference, hosts.toml or the credentials have an error.
            ImageError: why they could not be asked.
        """
        key = PullKey(parse_reference(reference_text), "", auth)
        request = self._requests.make(key, "", task="resolve")
        return await ask_endpoints(self._workers, request, RESOLVE_SECONDS)

    async def archive_images(
        self, path: str, repository: str, *, platform: str = ""
    ) -> ArchiveListing:
        """List the images of an archive, read in a worker; images without name get `repository`.

        With a platform only its images are listed; without one those for other platforms follow this node's.

        Raises:
            FailedPrecondition: it is no archive of images.
            NotFound: an image is not there for the platform.
            InvalidArgument: an image has no name, and there is no repository.
        """
        wanted = platform or self._settings.platform
        key = PullKey(parse_reference("archive.invalid/archive"), wanted, None, archive=path)
        request = replace(
            self._requests.make(key, "", task="archive"),
            reference=repository,
            all_platforms=not platform,
        )
        return await ask_archive(self._workers, request, ARCHIVE_SECONDS)

    async def import_image(
        self, path: str, entry: int, reference_text: str, *, platform: str = ""
    ) -> ImageRecord:
        """Make an image of an archive's entry, with the checks of a pull, under this name.

        Raises:
            ImageError: why it could not be imported.
        """
        reference = parse_reference(reference_text)
        wanted = platform or self._settings.platform
        key = PullKey(reference, wanted, None, archive=path, entry=entry)
        return await self._join(key, None, "operator")

    async def judge_import(self, names: Sequence[str], *, trusted: bool) -> None:
        """Ask the policy whether an archive may give these names; `trusted`: the operator vouches for it.

        Raises:
            FailedPrecondition: it may not.
            InvalidArgument: the policy file cannot be read.
        """
        policy = await read_policy(self._settings.policy_path)
        check_import(policy, map(parse_reference, names), trusted=trusted)

    async def close(self) -> None:
        """End the worker that is kept warm; running pulls end with their tasks."""
        await self._workers.close()

    def running(self) -> tuple[str, ...]:
        """Return the references of all running pulls, for diagnosis."""
        return tuple(sorted(str(key.reference) for key in self._running))

    def pulls(self) -> tuple[RunningPull, ...]:
        """Return all running pulls as they are now, oldest first; never waits."""
        now = time.monotonic()
        return tuple(
            RunningPull(
                id=shared.id,
                reference=str(key.reference),
                platform=key.platform,
                callers=tuple(shared.callers),
                age_seconds=now - shared.picture.started,
                view=shared.picture.now(),
                picture=shared.picture,
            )
            for key, shared in self._running.items()
        )

    def cancel(self, pull_id: str) -> bool:
        """End a running pull; all who wait for it are told. False when there is none of this id."""
        for key, shared in tuple(self._running.items()):
            if shared.id == pull_id:
                shared.fail(
                    Unavailable(
                        str(key.reference), "was cancelled by an operator", reason="PullCancelled"
                    )
                )
                if shared.task is not None:
                    shared.task.cancel()
                return True
        return False

    def _present(self, reference: Reference, platform: str) -> ImageRecord | None:
        """Answer without the network when exactly this content is here: a digest cannot have changed."""
        if reference.digest is None or self._settings.policy_path:
            return None  # the policy may have changed since
        return self._suitable(reference, platform)

    def _suitable(self, reference: Reference, platform: str) -> ImageRecord | None:
        """Give the image that is here under this name, if it is the one for the platform."""
        record = self._store.find(str(reference))
        if record is None:
            return None
        wanted = parse_platform(platform) if platform else host_platform(os.uname().machine)
        config = record.config
        offered = Platform(
            os=config.os or wanted.os, architecture=config.architecture, variant=config.variant
        )
        return record if same_machine(wanted, offered) else None

    async def _join(
        self, key: PullKey, on_event: Callable[[PullEvent], None] | None, caller: str
    ) -> ImageRecord:
        shared = self._running.get(key)
        if shared is None:
            shared = self._running[key] = SharedPull()
            shared.task = self._supervisor.spawn(
                self._run(key, shared), name=f"pull {key.reference}"
            )
        shared.waiters += 1
        shared.callers.append(caller)
        if on_event:
            shared.listeners.append(on_event)
        try:
            return await asyncio.shield(shared.result)
        finally:
            shared.waiters -= 1
            shared.callers.remove(caller)
            if on_event:
                shared.listeners.remove(on_event)
            if shared.waiters == 0 and not shared.result.done():
                self._abandon(key, shared)

    def _abandon(self, key: PullKey, shared: SharedPull) -> None:
        """End a pull that nobody waits for any more; one who comes later starts anew."""
        if self._running.get(key) is shared:
            del self._running[key]
        shared.result.cancel()
        if shared.task is not None:
            shared.task.cancel()

    async def _run(self, key: PullKey, shared: SharedPull) -> None:
        """Pull, and give the outcome to all who wait; never raises but when cancelled."""
        reason = "Cancelled"
        try:
            record = await self._pull(key, shared)
        except ImageError as error:
            reason = error.reason
            shared.fail(error)
        except Exception as error:  # noqa: BLE001 - the waiters get it; the supervisor would only log it
            failure = Internal(str(key.reference), f"pull failed: {type(error).__name__}: {error}")
            failure.__cause__ = error
            reason = failure.reason
            shared.fail(failure)
        else:
            reason = ""
            if not shared.result.done():
                shared.result.set_result(record)
        finally:
            if self._observer is not None:
                self._observer.pull_ended(shared.picture.outcome(reason))
            shared.result.cancel()
            if self._running.get(key) is shared:
                del self._running[key]

    async def _pull(self, key: PullKey, shared: SharedPull) -> ImageRecord:
        async with await self._store.begin_pull() as space:
            known = self._suitable(key.reference, key.platform) if key.reference.tag else None
            record = await self._converse(key, shared, space, known)
            if record is known and self._store.find(record.id) is None:
                record = await self._converse(key, shared, space, None)  # it was removed meanwhile
            space.pulled(record)
            return record

    async def _converse(
        self, key: PullKey, shared: SharedPull, space: PullSpace, known: ImageRecord | None
    ) -> ImageRecord:
        request = self._requests.make(key, str(space.staging), known=known)
        conversation = self._conversation(key, shared, space, known)
        try:
            return await conversation.run(self._workers, request)
        except Unavailable as error:
            if error.reason != "WorkerDied" or conversation.heard:
                raise
        # A worker that was kept warm had died unnoticed: nothing was begun yet.
        return await self._conversation(key, shared, space, known).run(self._workers, request)

    def _conversation(
        self, key: PullKey, shared: SharedPull, space: PullSpace, known: ImageRecord | None
    ) -> PullConversation:
        return PullConversation(
            space,
            key.reference,
            self._settings.no_progress_seconds,
            shared.tell,
            self._neighbours,
            known,
            unpack_seconds=self._settings.unpack_seconds,
        )
