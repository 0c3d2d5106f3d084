"""The daemon's side of listing an archive: one question to a worker, one answer read strictly."""

from dataclasses import dataclass

from image.errors import FailedPrecondition, Internal, InvalidArgument
from image.exchange.messages import WorkerRequest
from image.model.digest import parse_digest
from image.model.json_document import JsonObject
from image.model.platform import parse_platform
from image.model.reference import parse_reference
from image.pulls.endpoint_question import ask_worker
from image.pulls.worker_pool import WorkerPool
from image.store.image_archive import MAX_IMAGES


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedImage:
    """One image of an archive, for one platform."""

    entry: int
    names: tuple[str, ...]
    """Normalised, at least one."""
    id: str
    target: str
    """The digest by which it may be known, besides its names; empty when there is none."""
    platform: str
    """Empty for the platform that was asked for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ArchiveListing:
    """What an archive holds."""

    path: str
    """Where to read it: unpacked, if it came packed."""
    images: tuple[ListedImage, ...]


async def ask_archive(
    workers: WorkerPool, request: WorkerRequest, seconds: float
) -> ArchiveListing:
    """Ask a worker what an archive holds.

    Raises:
        ImageError: why it cannot be read.
    """
    remedy = "split the archive"
    message = await ask_worker(workers, request, "archive", seconds, "image archive", remedy)
    try:
        return _read(message, request.archive)
    except (FailedPrecondition, InvalidArgument) as error:
        raise Internal("image archive", f"worker sent nonsense: {error.cause}") from error


def _read(message: JsonObject, given: str) -> ArchiveListing:
    images = tuple(_read_image(one) for one in message.children("images")[:MAX_IMAGES])
    name, directory = message.text("name"), given.rpartition("/")[0]
    if "/" in name or name in ("", ".", "..") or not all(one.names for one in images):
        raise FailedPrecondition("image archive", "another path, or an image without name")
    return ArchiveListing(path=f"{directory}/{name}", images=images)


def _read_image(one: JsonObject) -> ListedImage:
    target, platform = one.text("target"), one.text("platform")
    if platform:
        parse_platform(platform)
    return ListedImage(
        entry=one.integer("entry"),
        names=tuple(str(parse_reference(name)) for name in one.texts("names")[:MAX_IMAGES]),
        id=parse_digest(one.text("id")),
        target=parse_digest(target) if target else "",
        platform=platform,
    )
