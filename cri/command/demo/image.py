"""An image made from the machine's own busybox, as the blobs a registry serves.

Two platforms stand in the manifest list, this machine's second, so that pulling it shows platform filtering. Writes
archives and never reads one.
"""

import gzip
import hashlib
import io
import json
import platform
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path

NAME = "demo/busybox"
TAG = "latest"
INDEX_TYPE = "application/vnd.docker.distribution.manifest.list.v2+json"
MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG_TYPE = "application/vnd.docker.container.image.v1+json"
LAYER_TYPE = "application/vnd.docker.image.rootfs.diff.tar.gzip"
_APPLETS = (
    "sh",
    "cat",
    "date",
    "echo",
    "hostname",
    "id",
    "ip",
    "ls",
    "ps",
    "sleep",
    "true",
    "uname",
)
_MACHINES = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "armv7l": "arm",
    "riscv64": "riscv64",
    "s390x": "s390x",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Blob:
    """Content that a registry serves under its digest."""

    media_type: str
    content: bytes

    @property
    def digest(self) -> str:
        """`sha256:` and 64 hex digits."""
        return f"sha256:{hashlib.sha256(self.content).hexdigest()}"

    def descriptor(self) -> dict[str, object]:
        """Return the OCI descriptor."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.content)}


@dataclass(frozen=True, kw_only=True, slots=True)
class DemoImage:
    """All content of the image; the index is what the tag names."""

    index: Blob
    manifests: tuple[Blob, ...]
    blobs: tuple[Blob, ...]


def find_busybox() -> Path | None:
    """Return a statically linked busybox of this machine, None when there is none."""
    for name in ("busybox-static", "busybox"):
        found = shutil.which(name, path="/bin:/usr/bin:/usr/local/bin")
        if found and b"ld-linux" not in Path(found).read_bytes()[:4096]:
            return Path(found)
    return None


def make_image(busybox: bytes) -> DemoImage:
    """Return the image: busybox with a link for each applet, for this machine and for a decoy."""
    layer_tar = _root_filesystem(busybox)
    layer = Blob(media_type=LAYER_TYPE, content=gzip.compress(layer_tar, compresslevel=6, mtime=0))
    machine = _MACHINES.get(platform.machine(), platform.machine())
    decoy = "arm64" if machine != "arm64" else "amd64"
    diff_id = f"sha256:{hashlib.sha256(layer_tar).hexdigest()}"
    configs = {name: _config(name, diff_id) for name in (decoy, machine)}
    manifests = {name: _manifest(config, layer) for name, config in configs.items()}
    entries = [
        {**manifest.descriptor(), "platform": {"os": "linux", "architecture": name}}
        for name, manifest in manifests.items()
    ]
    index = _document(
        INDEX_TYPE, {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": entries}
    )
    return DemoImage(
        index=index, manifests=tuple(manifests.values()), blobs=(*configs.values(), layer)
    )


def _document(media_type: str, document: dict[str, object]) -> Blob:
    return Blob(media_type=media_type, content=json.dumps(document, separators=(",", ":")).encode())


def _config(architecture: str, diff_id: str) -> Blob:
    return _document(
        CONFIG_TYPE,
        {
            "architecture": architecture,
            "os": "linux",
            "config": {"Env": ["PATH=/bin"], "Cmd": ["/bin/sh"], "WorkingDir": "/"},
            "rootfs": {"type": "layers", "diff_ids": [diff_id]},
            "history": [{"created_by": "lading demo"}],
        },
    )


def _manifest(config: Blob, layer: Blob) -> Blob:
    return _document(
        MANIFEST_TYPE,
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": config.descriptor(),
            "layers": [layer.descriptor()],
        },
    )


def _root_filesystem(busybox: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name in ("bin", "dev", "etc", "proc", "sys", "tmp"):
            archive.addfile(_member(name, tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755))
        program = _member("bin/busybox", tarfile.REGTYPE, 0o755)
        program.size = len(busybox)
        archive.addfile(program, io.BytesIO(busybox))
        for applet in _APPLETS:
            link = _member(f"bin/{applet}", tarfile.SYMTYPE, 0o777)
            link.linkname = "busybox"
            archive.addfile(link)
        for name, text in (
            ("etc/passwd", "root:x:0:0:root:/:/bin/sh\n"),
            ("etc/group", "root:x:0:\n"),
        ):
            member = _member(name, tarfile.REGTYPE, 0o644)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()


def _member(name: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.mode, member.mtime = kind, mode, 0
    return member
