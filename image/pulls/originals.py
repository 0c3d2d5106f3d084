"""Fetches the blobs of an image that is here as its registry has them: for `export --exact`.

A pull in every respect but what becomes of the bytes: the same places are asked as the same user, within the node's
limits, by a worker; every blob is held against its digest. Nothing in the store changes: blobs are files in the staging
directory of whoever asks, and go with it.
"""

from dataclasses import dataclass, replace

from image.model.records import ImageRecord, RegistryAuth
from image.model.reference import Reference, parse_reference
from image.pulls.pull_requests import PullKey, RequestMaker
from image.pulls.worker_conversation import PullConversation
from image.pulls.worker_pool import WorkerPool
from image.store.image_store import PullSpace


class _Fetching(PullConversation):
    """Ends when the worker says that all blobs are there; nothing is registered."""

    def _unchanged(self, message: object) -> ImageRecord:
        assert self._known is not None  # it is handed in below
        return self._known


@dataclass(frozen=True, kw_only=True, slots=True)
class Originals:
    """One per puller."""

    requests: RequestMaker
    workers: WorkerPool

    async def fetch(
        self,
        record: ImageRecord,
        name: str,
        space: PullSpace,
        *,
        auth: RegistryAuth | None,
        kept: tuple[str, ...] = (),
    ) -> None:
        """Fetch the layers of an image from the repository of `name`, but not those whose blobs are `kept`.

        Raises:
            ImageError: why they could not be fetched.
        """
        reference = original_reference(record, name)
        config, settings = record.config, self.requests.settings
        platform = "/".join(
            part for part in (config.os, config.architecture, config.variant) if part
        )
        key = PullKey(reference, platform, auth)
        request = self.requests.make(key, str(space.staging), task="originals")
        conversation = _Fetching(
            space,
            reference,
            settings.no_progress_seconds,
            lambda _event: None,
            self.requests.neighbours,
            record,
            unpack_seconds=settings.unpack_seconds,
        )
        await conversation.run(self.workers, replace(request, known=kept))


def original_reference(record: ImageRecord, name: str) -> Reference:
    """Return the manifest of an image in the repository of `name`, or in the first that it was pulled from.

    Raises:
        InvalidArgument: the name is none.
    """
    named = name or next(iter((*record.repo_digests, *record.repo_tags)), "")
    repository = parse_reference(named).name
    return parse_reference(f"{repository}@{record.manifest_digest}")
