"""What a worker is asked to do, made of the settings, the store and what neighbours know.

Promise: the same settings for every task, so that `resolve`, `export` and a pull of one image ask the same places.
"""

from dataclasses import dataclass, field

from image.exchange.messages import WorkerRequest
from image.model.records import ImageRecord, RegistryAuth
from image.model.reference import Reference
from image.pulls.neighbours import Neighbours
from image.pulls.pull_settings import PullSettings
from image.store.image_store import ImageStore
from image.store.indexed_layer import KIND as INDEXED


@dataclass(frozen=True, slots=True)
class PullKey:
    """What makes two pulls equal."""

    reference: Reference
    platform: str
    auth: RegistryAuth | None = field(repr=False)
    archive: str = ""
    entry: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestMaker:
    """Makes the requests of one puller."""

    store: ImageStore
    settings: PullSettings
    neighbours: Neighbours

    def make(
        self, key: PullKey, staging: str, *, task: str = "pull", known: ImageRecord | None = None
    ) -> WorkerRequest:
        """Make a request; `known` is the image that the reference's tag means here."""
        settings = self.settings
        extracts = settings.layer_store == "extract"
        kind = "extract" if extracts else self.store.layer_choice.new_kind
        prefix = f"{key.reference.name}@"
        return WorkerRequest(
            reference=str(key.reference),
            platform=key.platform,
            auth=key.auth,
            staging=staging,
            registry_config_path=settings.registry_config_path,
            proxy=settings.proxy,
            no_proxy=settings.no_proxy,
            require_schema2=settings.require_schema2,
            max_concurrent_downloads=settings.max_concurrent_downloads,
            max_layer_bytes=settings.max_layer_bytes,
            max_layer_entries=settings.max_layer_entries,
            max_path_depth=settings.max_path_depth,
            uid=settings.worker_uid if kind == INDEXED else 0,
            layer_kind=kind,
            task="import" if key.archive and task == "pull" else task,
            partial="" if key.archive else str(self.store.partial_directory),
            archive=key.archive,
            entry=key.entry,
            docker_config_path=settings.docker_config_path,
            policy_path=settings.policy_path,
            known=tuple(
                name.removeprefix(prefix)
                for name in (known.repo_digests if known else ())
                if name.startswith(prefix)
            ),
            circuits=self.neighbours.circuits(),
            limits=settings.transport,
        )
