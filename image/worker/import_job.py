"""Imports one image of an archive inside the worker, and tells what images an archive has.

A pull in every respect but where its bytes come from: same checks, same limits, layers that are here are not made again.
What the policy says of the names is asked by the daemon, which gives them.
"""

import asyncio
import platform as host
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

from image.errors import FailedPrecondition, ResourceExhausted
from image.exchange.channel import Channel
from image.exchange.messages import WorkerRequest
from image.model.platform import Platform, host_platform, parse_platform
from image.model.reference import parse_reference
from image.policy.policy_file import Policy
from image.registry.client import RegistryClient
from image.registry.resolved_image import ResolvedImage
from image.store.image_archive import ArchiveEntry, ImageArchive, references_of
from image.worker.archive_client import ArchiveClient
from image.worker.archive_listing import ArchivedImage, images_of
from image.worker.daemon_door import DaemonDoor
from image.worker.inflate import CHUNK, InflateError, inflated
from image.worker.pull_job import PullJob

PLAIN = "archive.tar"
"""Name of an archive that came packed, below the same directory."""


class ImportJob(PullJob):
    """One image; `run` it once."""

    def _source(self) -> RegistryClient:
        return ArchiveClient(Path(self._request.archive), self._request.entry)

    async def _judge(self, client: RegistryClient, policy: Policy, image: ResolvedImage) -> None:
        """Nothing: see the module."""

    async def _is_unchanged(self, client: RegistryClient, policy: Policy) -> bool:
        """Look closely: an archive has no tag that could be unchanged."""
        return False


async def list_archive(channel: Channel, request: WorkerRequest) -> None:
    """Tell the images of an archive: its path, unpacked if it came packed, and each image's names and platform.

    Raises:
        FailedPrecondition: it is no archive of images.
        NotFound: an image is not there for the wanted platform.
        InvalidArgument: an image has no name, and the request gives none.
    """
    door = DaemonDoor(channel, "image archive")
    wanted = parse_platform(request.platform) if request.platform else host_platform(host.machine())
    path, listed = await asyncio.to_thread(_list, request, wanted)
    images = [{"entry": position, "names": names, **asdict(one)} for position, names, one in listed]
    door.tell({"kind": "archive", "name": path.name, "images": images})
    await door.wait_told()


def _list(
    request: WorkerRequest, wanted: Platform
) -> tuple[Path, list[tuple[int, list[str], ArchivedImage]]]:
    found = []
    path, entries = _read(Path(request.archive), request.max_layer_bytes)
    with closing(ImageArchive(path)) as archive:
        for position, entry in enumerate(entries):
            names = [str(one) for one in references_of(entry, request.reference)]
            repository = parse_reference(names[0]).name
            images = images_of(archive, entry, wanted, all_platforms=request.all_platforms)
            for one in images:
                own = [f"{repository}@{one.manifest}"] if one.manifest else names
                found.append((position, own, one))
    return path, found


def _read(path: Path, limit: int) -> tuple[Path, tuple[ArchiveEntry, ...]]:
    try:
        path = _plain(path, limit)
    except InflateError as error:
        raise FailedPrecondition("image archive", str(error), reason="InvalidArchive") from error
    with closing(ImageArchive(path)) as archive:
        return path, archive.entries()


class _File:
    """An open file as a source."""

    def __init__(self, path: Path) -> None:
        self._stream = path.open("rb")

    def read_chunk(self) -> bytes:
        return self._stream.read(CHUNK)

    def close(self) -> None:
        self._stream.close()


def _plain(path: Path, limit: int) -> Path:
    """Unpack an archive that is packed as a whole, beside it."""
    with closing(_File(path)) as source:
        with path.open("rb") as head:
            if head.read(2) != b"\x1f\x8b":
                return path
        plain, total = path.with_name(PLAIN), 0
        content = inflated(source)
        with plain.open("wb") as target:
            while piece := content.read_chunk():
                total += len(piece)
                if total > limit:
                    raise ResourceExhausted(
                        "image archive",
                        f"is larger than {limit} bytes unpacked",
                        remedy="raise image.max_layer_bytes if it is trusted",
                        reason="ArchiveTooLarge",
                    )
                target.write(piece)
    return plain
