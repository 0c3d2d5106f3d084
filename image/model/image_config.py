"""The image config: what an image says about how its containers run (image-spec, config.md).

Pure: parses the config document and never obeys it; labels are shown, never read (security rule B5).
"""

from dataclasses import dataclass

from image.errors import FailedPrecondition, InvalidArgument
from image.model.digest import parse_digest
from image.model.json_document import JsonObject, parse_json_object
from image.model.manifest import MAX_LAYERS

MAX_CONFIG_BYTES = 8 * 1024 * 1024
"""Security rule B4; the largest configs seen in the field, with long histories, are about 100 KiB."""

_EMPTY = JsonObject(subject="", fields={})


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageConfig:
    """The parts of an image config that a container or an operator needs."""

    architecture: str
    os: str
    variant: str = ""
    os_version: str = ""
    env: tuple[str, ...] = ()
    """`NAME=value` entries in the image's order; entries without `=` were dropped (security rule D7)."""
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    working_dir: str = ""
    user: str = ""
    """As written in the image: `uid`, `uid:gid`, `name`, `name:group`, or empty."""
    stop_signal: str = ""
    volumes: tuple[str, ...] = ()
    """Paths declared by VOLUME, sorted."""
    labels: tuple[tuple[str, str], ...] = ()
    exposed_ports: tuple[str, ...] = ()
    diff_ids: tuple[str, ...] = ()
    """Digests of the uncompressed layers, bottom first."""
    created: str = ""


def parse_image_config(raw: bytes, *, subject: str = "image config") -> ImageConfig:
    """Read a config document; its digest must have been checked before.

    Raises:
        FailedPrecondition: not strict JSON, a field of the wrong type, no `rootfs`, or beyond a limit.
    """
    document = parse_json_object(raw, subject=subject, max_bytes=MAX_CONFIG_BYTES)
    execution = document.child("config") or _EMPTY
    return ImageConfig(
        architecture=document.text("architecture", default=""),
        os=document.text("os", default=""),
        variant=document.text("variant", default=""),
        os_version=document.text("os.version", default=""),
        env=_usable_env(execution.texts("Env")),
        entrypoint=execution.texts("Entrypoint"),
        cmd=execution.texts("Cmd"),
        working_dir=execution.text("WorkingDir", default=""),
        user=execution.text("User", default=""),
        stop_signal=execution.text("StopSignal", default=""),
        volumes=tuple(sorted(execution.keys("Volumes"))),
        labels=execution.text_map("Labels"),
        exposed_ports=tuple(sorted(execution.keys("ExposedPorts"))),
        diff_ids=_read_diff_ids(document),
        created=document.text("created", default=""),
    )


def _usable_env(entries: tuple[str, ...]) -> tuple[str, ...]:
    """Keep `NAME=value`; a bare name would take the host's value in some readers (CVE-2026-57231)."""
    return tuple(entry for entry in entries if entry.find("=") > 0)


def _read_diff_ids(document: JsonObject) -> tuple[str, ...]:
    rootfs = document.child("rootfs")
    if rootfs is None:
        raise FailedPrecondition(
            document.subject,
            "has no `rootfs`, so its layers cannot be checked",
            remedy="build the image again with a current tool",
            reason="InvalidConfig",
        )
    if rootfs.text("type", default="layers") != "layers":
        raise FailedPrecondition(rootfs.subject, "is not of type layers", reason="InvalidConfig")
    diff_ids = rootfs.texts("diff_ids")
    if len(diff_ids) > MAX_LAYERS:
        raise FailedPrecondition(
            rootfs.subject, f"names more than {MAX_LAYERS} layers", reason="InvalidConfig"
        )
    try:
        return tuple(parse_digest(text) for text in diff_ids)
    except InvalidArgument as error:
        raise FailedPrecondition(
            rootfs.subject, f"{error.subject} {error.cause}", reason="InvalidDigest"
        ) from error
