"""Make the two big images of the benchmark from files of this machine: very many small ones, and few large ones.

Each is made in gzip and zstd, and beside it a twin whose top layer alone differs, as after a rebuild. They are
pushed once into a registry's data folder in the cache, and served from there by every later run. Reads installed
files only; nothing is fetched.
"""

from __future__ import annotations

import gc
import hashlib
import http.client
import io
import json
import os
import shutil
import stat
import sys
import tarfile
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import zstandard

from e2e.images.catalogue import NamedImage
from e2e.images.host_programs import busybox_program, dynamic_entries
from e2e.images.image import OCI, Settings, publish
from e2e.images.layer import GZIP, ZSTD, Entry, Layer, digest_of, directory, regular, symlink
from e2e.images.push import repository_and_tag
from e2e.registry import Registry, write_mirror_rules
from e2e.tool_paths import cache_directory

MB = 1_000_000
HOST = "bench.example"
GO_ROOT, PYTHON_ROOT = Path("/usr/local/go"), Path(sys.base_prefix)
ROOTS = (Path("/usr/share"), Path("/usr/lib"), Path("/usr/include"), Path("/usr/src"), GO_ROOT)
MORE_ROOTS = (PYTHON_ROOT, Path("/usr/bin"), Path("/usr/local"), Path("/opt"))
SHARES = (0.30, 0.22, 0.16, 0.12, 0.09, 0.06, 0.05)
"""How the content is spread over layers, bottom first: a few heavy ones and a thin top, as images have."""
KEPT = 4
_SMALL = 4096
_LEVEL = 6
"""Of gzip, as docker and BuildKit use it; zstd's is 3."""
_FORMAT = 1
"""Raised when the code here makes other images of the same recipes."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What an image holds."""

    name: str
    bytes: int
    files: int
    """At least so many."""
    smallest: int
    largest: int


MANY = Recipe(name="many", bytes=1000 * MB, files=60_000, smallest=1, largest=2 * MB)
LARGE = Recipe(name="large", bytes=1500 * MB, files=1, smallest=8 * MB, largest=80 * MB)
RECIPES = (MANY, LARGE)
COMPRESSIONS = (GZIP, ZSTD)


@dataclass(frozen=True, kw_only=True)
class BigImage:
    """An image of the benchmark, served under two references."""

    name: str
    """`many gzip`, as metrics are called."""

    @property
    def reference(self) -> str:
        """The image."""
        return f"{HOST}/{self.name.replace(' ', '/')}:1"

    @property
    def recipe(self) -> Recipe:
        """What it holds."""
        return next(recipe for recipe in RECIPES if recipe.name == self.name.split()[0])

    @property
    def compression(self) -> str:
        """How its layers are packed."""
        return self.name.split()[1]

    @property
    def changed(self) -> str:
        """Its twin with another top layer."""
        return f"{HOST}/{self.name.replace(' ', '/')}:2"


IMAGES = tuple(BigImage(name=f"{r.name} {c}") for r in RECIPES for c in COMPRESSIONS)


def candidates(recipe: Recipe) -> Iterator[tuple[Path, int]]:
    """Yield regular files of the machine that fit, in order of their paths, no inode twice."""
    seen: set[tuple[int, int]] = set()
    for root in (*ROOTS, *MORE_ROOTS):
        for folder, folders, names in os.walk(root):
            folders.sort()
            for name in sorted(names):
                path = Path(folder, name)
                found = path.lstat()
                inode = (found.st_dev, found.st_ino)
                fits = recipe.smallest <= found.st_size <= recipe.largest
                if stat.S_ISREG(found.st_mode) and fits and inode not in seen:
                    seen.add(inode)
                    yield path, found.st_size


def chosen(recipe: Recipe, scale: float) -> list[tuple[str, Path, int]]:
    """Choose files until number and bytes are reached; a poor machine's are taken again under other names."""
    files, total = recipe.files * scale, recipe.bytes * scale
    found = sorted(candidates(recipe), key=lambda each: hashlib.sha256(bytes(each[0])).digest())
    if not found:
        raise RuntimeError(f"this machine has no files for the image {recipe.name}")
    taken: list[tuple[str, Path, int]] = []
    size = turn = 0
    while size < total or len(taken) < files:
        turn += 1
        for path, length in found:
            short = files - len(taken)
            if short > 0 and length > max(8192, 2 * (total - size) / short):
                continue  # too large for the many that are still wanted
            if length < _SMALL and len(taken) * total > size * files:
                continue  # too small for the few that are still wanted
            taken.append((f"content{turn}{path}", path, length))
            size += length
            if size >= total and len(taken) >= files:
                break
    return sorted(taken)


def parts_of(taken: Sequence[tuple[str, Path, int]]) -> list[list[tuple[str, Path, int]]]:
    """Divide files among layers by their shares."""
    total = sum(size for _, _, size in taken)
    parts: list[list[tuple[str, Path, int]]] = [[] for _ in SHARES]
    missing = [total * share for share in SHARES]
    number = 0
    for each in taken:
        # Neighbours stay together until a layer is full.
        if missing[number] <= 0 or len(taken) < 100 * len(SHARES):
            number = missing.index(max(missing))
        parts[number].append(each)
        missing[number] -= each[2]
    return parts


def tar_of(files: Sequence[tuple[str, Path, int]], extra: Sequence[Entry]) -> bytes:
    """Return the tar of a layer: directories before what is in them, times and modes as they are."""
    buffer = io.BytesIO()
    known: set[str] = set()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for entry in extra:
            member = tarfile.TarInfo(entry.path)
            member.type, member.mode, member.linkname = entry.kind, entry.mode, entry.target
            member.size = len(entry.content)
            archive.addfile(member, io.BytesIO(entry.content))
        for name, path, _ in files:
            for parent in list(Path(name).parents)[-2::-1]:
                if str(parent) not in known:
                    known.add(str(parent))
                    member = tarfile.TarInfo(str(parent))
                    member.type, member.mode, member.mtime = tarfile.DIRTYPE, 0o755, 1_700_000_000
                    archive.addfile(member)
            content = path.read_bytes()
            found = path.stat()
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), stat.S_IMODE(found.st_mode)
            member.mtime = int(found.st_mtime)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def packed(tar: bytes, compression: str) -> Layer:
    """Compress a tar as image builders do."""
    if compression == GZIP:
        blob = zlib.compress(tar, _LEVEL, 31)
    else:
        blob = zstandard.ZstdCompressor(level=3).compress(tar)
    return Layer(blob=blob, compression=compression, diff_id=digest_of(tar))


def base_entries() -> list[Entry]:
    """Return what a container needs to run a shell."""
    entries = dynamic_entries({"bin/busybox": busybox_program()})
    return [*entries, symlink("bin/sh", "busybox"), directory("proc"), directory("dev")]


def made(recipe: Recipe, scale: float) -> Iterator[NamedImage]:
    """Make the images of one recipe."""
    parts = parts_of(chosen(recipe, scale))
    changed = regular("changed", b"another build\n")
    tars = [tar_of(part, () if number else base_entries()) for number, part in enumerate(parts)]
    tars.append(tar_of(parts[-1], [changed]))
    for compression in COMPRESSIONS:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            layers = list(pool.map(lambda tar, how=compression: packed(tar, how), tars))
        image = BigImage(name=f"{recipe.name} {compression}")
        settings = Settings(command=("/bin/sh",))
        for reference, its in (
            (image.reference, layers[:-1]),
            (image.changed, [*layers[:-2], layers[-1]]),
        ):
            yield NamedImage(references=(reference,), image=publish(settings, its))


def cache_key(scale: float) -> str:
    """Return what the cached images are called: the recipe and its scale."""
    recipe = repr((_FORMAT, RECIPES, SHARES, ROOTS, MORE_ROOTS, _LEVEL, _SMALL))
    return f"{hashlib.sha256(recipe.encode()).hexdigest()[:12]}-{scale:g}"


def stored_images(scale: float) -> Path:
    """Return a registry's folder with all big images, made now if it is not in the cache."""
    target = cache_directory() / "bench-images" / cache_key(scale)
    if not target.is_dir():
        print(f"making the big images once, into {target}; this takes some minutes", flush=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(dir=target.parent))
        registry = Registry(staging)
        registry.start()
        try:
            for recipe in RECIPES:
                for named in made(recipe, scale):
                    registry.push([named])
                gc.collect()
        finally:
            registry.stop()
        staging.rename(target)
        folders = sorted(target.parent.iterdir(), key=lambda path: path.stat().st_mtime)
        for old in folders[:-KEPT]:
            shutil.rmtree(old, ignore_errors=True)
    return target


@contextmanager
def big_registry(folder: Path, rules: Path, scale: float) -> Iterator[Registry]:
    """Serve the big images from the cache, and let the mirror rules lead to them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "data").symlink_to(stored_images(scale) / "data")
    registry = Registry(folder)
    registry.start()
    write_mirror_rules(rules, registry.address, [HOST])
    try:
        yield registry
    finally:
        registry.stop()


def layer_blobs(address: str, reference: str) -> list[tuple[str, int]]:
    """Return digest and size of an image's layers as a registry has them."""
    repository, tag = repository_and_tag(reference)
    connection = http.client.HTTPConnection(address, timeout=30)

    def fetched(name: str, media_type: str, part: str) -> list[dict[str, object]]:
        path = f"/v2/{repository}/manifests/{name}"
        connection.request("GET", path, headers={"Accept": media_type})
        found: list[dict[str, object]] = json.loads(connection.getresponse().read())[part]
        return found

    manifest = fetched(tag, OCI.index, "manifests")[-1]
    layers = fetched(str(manifest["digest"]), OCI.manifest, "layers")
    connection.close()
    return [(str(layer["digest"]), int(str(layer["size"]))) for layer in layers]


def blob_path(folder: Path, digest: str) -> Path:
    """Return where a registry keeps a blob."""
    name = digest.partition(":")[2]
    return folder / "data/docker/registry/v2/blobs/sha256" / name[:2] / name / "data"


def read_into_cache(folder: Path) -> None:
    """Read the registry's blobs, so that serving them costs no disk time."""
    for path in (folder / "data").resolve().rglob("data"):
        if path.is_file():
            with path.open("rb") as file:
                while file.read(1 << 20):
                    pass
