"""What daemon and worker say to each other, as values and as JSON objects.

Pure, and light: the daemon imports it. Each `read_` function refuses what it cannot fully understand. Requests carry
credentials, so they go over the socket alone, never into argv, environment or a log (security rule C3).
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from image import errors
from image.errors import FailedPrecondition, ImageError
from image.model.digest import parse_digest
from image.model.json_document import JsonObject
from image.model.records import LayerRecord, RegistryAuth
from image.model.reference import Reference
from image.protocol.circuit_breaker import Circuit
from image.protocol.transport_limits import TransportLimits
from image.store.image_commit import ImageCommit
from image.store.layer_store import MAX_OPAQUE, LayerSummary

_ERRORS = {
    each.__name__: each
    for each in (
        errors.InvalidArgument,
        errors.NotFound,
        errors.PermissionDenied,
        errors.FailedPrecondition,
        errors.Unavailable,
        errors.DeadlineExceeded,
        errors.ResourceExhausted,
        errors.Unimplemented,
        errors.Internal,
    )
}


RETRYING = "Retrying in "
"""How the status begins of an event that says when endpoints are asked again, and why."""

WAITING_FOR = "Waiting for "
"""How the status begins of a layer that waits for something besides its turn."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PullEvent:
    """One step of a pull, for whoever watches."""

    status: str
    """What happens, in the words of `docker pull`: `Downloading`, `Pull complete`."""
    layer: str = ""
    """First 12 digits of the layer's digest; empty for the whole image."""
    current: int = 0
    """Bytes so far, of `Downloading` and `Extracting`."""
    total: int = 0
    """Bytes expected, 0 when unknown."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerRequest:
    """Everything a worker needs for one pull."""

    reference: str
    platform: str
    """Empty: this host's."""
    auth: RegistryAuth | None = field(repr=False)
    staging: str
    registry_config_path: str
    proxy: str = field(repr=False)
    no_proxy: str
    require_schema2: bool
    max_concurrent_downloads: int
    max_layer_bytes: int
    max_layer_entries: int
    max_path_depth: int
    layer_kind: str
    """How to keep layers: `erofs` or `extract`."""
    uid: int = 0
    """Become this user and keep no capability; 0 keeps those that extraction needs."""
    below: tuple[str, ...] = ()
    """Chain ids of the layers below, topmost first, for the task `extract`."""
    task: str = "pull"
    """`pull`, or `tags` to list the tags of the reference's repository."""
    docker_config_path: str = ""
    policy_path: str = ""
    known: tuple[str, ...] = ()
    """Digests that the tag may mean without anything being new; empty to look closely."""
    circuits: tuple[tuple[str, Circuit], ...] = ()
    """Endpoints that could not be reached lately."""
    limits: TransportLimits = TransportLimits()
    """What each stage of a request may take."""
    partial: str = ""
    """Directory of the files of unfinished downloads, one per blob; empty to keep none."""
    archive: str = ""
    """Path of an archive, for the tasks `archive` and `import`; the reference is then a name for the image."""
    entry: int = 0
    """Which image of the archive."""
    all_platforms: bool = False
    """Whether to list an archive's images for other platforms, too."""

    def message(self) -> dict[str, object]:
        """Return the JSON form."""
        return {
            "kind": "request",
            **{
                name: getattr(self, name)
                for name in self.__slots__
                if name not in ("auth", "circuits", "limits")
            },
            "limits": _limit_fields(self.limits),
            "auth": asdict(self.auth) if self.auth else None,
            "circuits": [circuit_fields(url, circuit) for url, circuit in self.circuits],
        }


def read_request(message: JsonObject) -> WorkerRequest:
    """Read the JSON form of a request."""
    auth = message.child("auth")
    return WorkerRequest(
        reference=message.text("reference"),
        platform=message.text("platform"),
        auth=RegistryAuth(**{name: auth.text(name) for name in RegistryAuth.__slots__})
        if auth
        else None,
        staging=message.text("staging"),
        registry_config_path=message.text("registry_config_path"),
        proxy=message.text("proxy"),
        no_proxy=message.text("no_proxy"),
        require_schema2=message.fields.get("require_schema2") is True,
        max_concurrent_downloads=message.integer("max_concurrent_downloads"),
        max_layer_bytes=message.integer("max_layer_bytes"),
        max_layer_entries=message.integer("max_layer_entries"),
        max_path_depth=message.integer("max_path_depth"),
        layer_kind=message.text("layer_kind"),
        uid=message.integer("uid"),
        below=message.texts("below"),
        task=message.text("task"),
        docker_config_path=message.text("docker_config_path"),
        policy_path=message.text("policy_path"),
        known=message.texts("known"),
        circuits=tuple(_read_circuit(each) for each in message.children("circuits")),
        limits=_read_limits(message.child("limits")),
        partial=message.text("partial"),
        archive=message.text("archive"),
        entry=message.integer("entry"),
        all_platforms=message.fields.get("all_platforms") is True,
    )


def _limit_fields(limits: TransportLimits) -> dict[str, object]:
    return {name: round(getattr(limits, name) * 1000) for name in limits.__slots__}


def _read_limits(message: JsonObject | None) -> TransportLimits:
    if message is None:
        return TransportLimits()
    return TransportLimits(
        connect=message.integer("connect") / 1000,
        first_byte=message.integer("first_byte") / 1000,
        window=message.integer("window") / 1000,
        min_rate=message.integer("min_rate") // 1000,
    )


def circuit_fields(url: str, circuit: Circuit | None) -> dict[str, object]:
    """Return the JSON form of what is known of an endpoint; one that answers has no failures."""
    return {
        "url": url,
        "failures": circuit.failures if circuit else 0,
        "open_until_ms": int(circuit.open_until * 1000) if circuit else 0,
    }


def _read_circuit(message: JsonObject) -> tuple[str, Circuit]:
    until = message.integer("open_until_ms") / 1000
    return message.text("url"), Circuit(failures=message.integer("failures"), open_until=until)


def event_message(event: PullEvent) -> dict[str, object]:
    """Return the JSON form of an event."""
    return {
        "kind": "event",
        "status": event.status,
        "layer": event.layer,
        "current": event.current,
        "total": event.total,
    }


def read_event(message: JsonObject) -> PullEvent:
    """Read the JSON form of an event."""
    return PullEvent(
        status=message.text("status")[:300],
        layer=message.text("layer")[:64],
        current=message.integer("current"),
        total=message.integer("total"),
    )


def error_message(error: ImageError) -> dict[str, object]:
    """Return the JSON form of a failure."""
    return {
        "kind": "error",
        "class": type(error).__name__,
        "subject": error.subject,
        "cause": error.cause,
        "remedy": error.remedy,
        "reason": error.reason,
        "details": list(error.details),
    }


def read_error(message: JsonObject) -> ImageError:
    """Rebuild a failure; one of an unknown class is a fault of ours."""
    error_class = _ERRORS.get(message.text("class"), errors.Internal)
    return error_class(
        message.text("subject")[:4096],
        message.text("cause")[:4096],
        remedy=message.text("remedy")[:4096],
        reason=message.text("reason")[:64],
        details=tuple(line[:4096] for line in message.texts("details")[:64]),
    )


def summary_fields(summary: LayerSummary) -> dict[str, object]:
    """Return the JSON form of a layer's summary."""
    return {
        "opaque": list(summary.opaque),
        "used_bytes": summary.used_bytes,
        "inodes": summary.inodes,
        "layer_kind": summary.kind,
        "parent": summary.parent,
    }


def read_summary(message: JsonObject) -> LayerSummary:
    """Read the JSON form of a layer's summary."""
    opaque = message.texts("opaque")
    if len(opaque) > MAX_OPAQUE or not all(path.isascii() or _latin1(path) for path in opaque):
        raise FailedPrecondition("layer", "opaque directories of a layer are too many or no paths")
    parent = message.text("parent")
    return LayerSummary(
        kind=message.text("layer_kind"),
        parent=parse_digest(parent) if parent else "",
        opaque=opaque,
        used_bytes=max(0, message.integer("used_bytes")),
        inodes=max(0, message.integer("inodes")),
    )


def _latin1(text: str) -> bool:
    return max(text) <= "\xff"


def commit_message(commit: ImageCommit) -> dict[str, object]:
    """Return the JSON form of a finished image; the reference is known to the daemon."""
    return {
        "kind": "commit",
        "target_digest": commit.target_digest,
        "manifest_digest": commit.manifest_digest,
        "manifest": encode_bytes(commit.manifest),
        "config_digest": commit.config_digest,
        "config": encode_bytes(commit.config),
        "layers": [asdict(layer) for layer in commit.layers],
        "named_by_digest": commit.is_named_by_digest,
        "source": commit.source,
        "config_source": commit.config_source,
    }


def read_commit(message: JsonObject, reference: Reference) -> ImageCommit:
    """Read the JSON form of a finished image."""
    return ImageCommit(
        reference=reference,
        target_digest=parse_digest(message.text("target_digest")),
        manifest_digest=parse_digest(message.text("manifest_digest")),
        manifest=decode_bytes(message, "manifest"),
        config_digest=parse_digest(message.text("config_digest")),
        config=decode_bytes(message, "config"),
        layers=tuple(read_layer(layer) for layer in message.children("layers")),
        is_named_by_digest=message.fields.get("named_by_digest") is not False,
        source=message.text("source", default="")[:2048],
        config_source=message.text("config_source", default="")[:2048],
    )


def read_layer(message: JsonObject) -> LayerRecord:
    """Read the JSON form of a layer's record."""
    return LayerRecord(
        digest=parse_digest(message.text("digest")),
        diff_id=parse_digest(message.text("diff_id")),
        chain_id=parse_digest(message.text("chain_id")),
        size_bytes=message.integer("size_bytes"),
        source=message.text("source", default="")[:2048],
    )


def encode_bytes(content: bytes) -> str:
    """Write bytes as JSON can hold them."""
    return base64.b64encode(content).decode("ascii")


def decode_bytes(message: JsonObject, key: str) -> bytes:
    """Read bytes that `encode_bytes` wrote.

    Raises:
        FailedPrecondition: the text is not base64.
    """
    try:
        return base64.b64decode(message.text(key), validate=True)
    except (binascii.Error, ValueError) as error:
        raise FailedPrecondition(message.subject, f"`{key}` is not base64") from error


def state_fields(states: Mapping[str, str]) -> dict[str, object]:
    """Return the JSON form of the states of claimed layers."""
    return {"kind": "claims", "states": dict(states)}
