"""The verbs `image/pull` and `image/pulls`: pulls that operators start, and all that run, whoever started them.

A pull of an operator is the kubelet's in every respect: equal ones are joined, and it ends when nobody waits for it.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Sequence

from cri.admin.arguments import Arguments
from cri.admin.parts import AdminParts
from cri.admin.texts import seconds
from image.errors import Unavailable
from image.model.records import ImageRecord, RegistryAuth
from image.model.reference import parse_bare_name, parse_reference
from image.pulls.pull_picture import PullPicture
from image.pulls.puller import RunningPull

SCHEMA = "lading.image-pull/v1"
TICK_SECONDS = 0.2
"""How often progress is told: bars look alive, and a slow terminal keeps up."""

_AUTH = ("username", "password", "auth", "server_address", "identity_token", "registry_token")


async def pull_image(
    parts: AdminParts, arguments: Arguments
) -> AsyncGenerator[dict[str, object], None]:
    """Answer `image/pull` by lines of progress and one of the outcome.

    Raises:
        InvalidArgument: the reference, platform or credentials cannot be understood.
        ImageError: why the pull failed.
    """
    reference = arguments.text("reference")
    platform = arguments.text("platform", "")
    auth, all_tags = read_auth(arguments), arguments.flag("all_tags")
    arguments.finish()
    name = str(parse_bare_name(reference) if all_tags else parse_reference(reference))
    follow = PullFollower(parts, name.rpartition(":")[0] + ":" if all_tags else name)
    outcome: asyncio.Future[Sequence[ImageRecord]] = asyncio.get_running_loop().create_future()

    async def work() -> None:
        """Pull, and hand the outcome to the one who follows."""
        try:
            records = await _pull(parts, reference, auth, platform, all_tags=all_tags)
        except Exception as error:  # noqa: BLE001 - told by the generator below
            if not outcome.done():
                outcome.set_exception(error)
        else:
            if not outcome.done():
                outcome.set_result(records)

    running = parts.node.supervisor.spawn(work(), name=f"operator pulls {name}")
    ended = Unavailable(name, "the pull was ended", reason="PullCancelled")
    running.add_done_callback(lambda _: None if outcome.done() else outcome.set_exception(ended))
    outcome.add_done_callback(lambda result: result.cancelled() or result.exception())
    try:
        await asyncio.sleep(0)  # the pull is there now, however quickly it may end
        while not outcome.done():
            line = follow.line()
            if line is not None:
                yield line
            await asyncio.wait([outcome], timeout=TICK_SECONDS)
        for record in outcome.result():
            yield follow.outcome(record)
    finally:
        running.cancel()
        outcome.cancel()


async def _pull(
    parts: AdminParts,
    reference: str,
    auth: RegistryAuth | None,
    platform: str,
    *,
    all_tags: bool,
) -> Sequence[ImageRecord]:
    if not all_tags:
        pulling = parts.puller.pull(reference, auth=auth, platform=platform, caller="operator")
        return (await pulling,)
    found = await parts.puller.pull_all_tags(
        reference, auth=auth, platform=platform, caller="operator"
    )
    return found.records


async def list_pulls(parts: AdminParts, arguments: Arguments) -> dict[str, object]:
    """Answer `image/pulls`."""
    arguments.finish()
    return {
        "schema": "lading.image-pulls/v1",
        "pulls": [pull_fields(one) for one in parts.puller.pulls()],
    }


def read_auth(arguments: Arguments) -> RegistryAuth | None:
    """Read the credentials of a request, if it has some.

    Raises:
        InvalidArgument: they have another form.
    """
    given = arguments.texts_by_name("auth")
    known = {name: given.get(name, "") for name in _AUTH}
    Arguments({name: given[name] for name in given if name not in _AUTH}).finish()
    return RegistryAuth(**known) if any(known.values()) else None


class PullFollower:
    """Watches one pull from outside and tells it line by line."""

    def __init__(self, parts: AdminParts, reference: str) -> None:
        """`reference` is a whole one, or ends with a colon and means every tag."""
        self._parts = parts
        self._reference = reference
        self._begin = asyncio.get_running_loop().time()
        self._picture: PullPicture | None = None
        self._told: dict[str, object] = {}

    def line(self) -> dict[str, object] | None:
        """Return what the pull looks like now; None while nothing new can be said."""
        for one in self._parts.puller.pulls():
            if self._is_meant(one.reference):
                self._picture = one.picture
                fields = pull_fields(one)
                fields.pop("age_seconds")
                if fields == self._told:
                    return None
                self._told = fields
                return {"schema": SCHEMA, "event": "progress", **fields}
        return None

    def _is_meant(self, name: str) -> bool:
        if self._reference.endswith(":"):
            return name.startswith(self._reference)
        return name == self._reference

    def outcome(self, record: ImageRecord) -> dict[str, object]:
        """Return the line of an image that is here now."""
        view = self._picture.now() if self._picture else None
        layers = [one.phase for one in view.layers] if view else []
        spent = view.phase_seconds if view else {}
        return {
            "schema": SCHEMA,
            "event": "done",
            "reference": self._name_of(record),
            "id": record.id,
            "digests": list(record.repo_digests),
            "tags": list(record.repo_tags),
            "bytes": view.current_bytes if view else 0,
            "source": view.source if view else "",
            "seconds": seconds(asyncio.get_running_loop().time() - self._begin),
            "phases": {name: seconds(value) for name, value in spent.items()},
            "layers": len(record.layers),
            "layers_reused": layers.count("present") if layers else len(record.layers),
        }

    def _name_of(self, record: ImageRecord) -> str:
        meant = [name for name in record.repo_tags if self._is_meant(name)]
        return meant[0] if meant else self._reference


def pull_fields(one: RunningPull) -> dict[str, object]:
    """Return a running pull as JSON shows it."""
    view = one.view
    left = max(0, view.total_bytes - view.current_bytes)
    return {
        "operation": one.id,
        "reference": one.reference,
        "platform": one.platform,
        "callers": dict(Counter(one.callers)),
        "waiters": len(one.callers),
        "age_seconds": seconds(one.age_seconds),
        "phase": view.phase,
        "bytes": view.current_bytes,
        "total_bytes": view.total_bytes,
        "bytes_per_second": round(view.bytes_per_second),
        "seconds_left": round(left / view.bytes_per_second) if view.bytes_per_second else None,
        "source": view.source,
        "waiting_for": view.waiting_for,
        "layers": [
            {
                "digest": layer.digest,
                "phase": layer.phase,
                "bytes": layer.current_bytes,
                "total_bytes": layer.total_bytes,
                "waiting_for": layer.waiting_for,
            }
            for layer in view.layers
        ],
    }
