"""Images go out and come back: what skopeo and umoci make of our archives, and we of theirs."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cri.command.image.layout_directory import write_layout
from e2e.command_line import CommandLine, rows
from e2e.conftest import PEER
from e2e.daemon import Lading
from e2e.images.catalogue import IDLE
from e2e.layer_recipes import RECIPES
from e2e.node import Node
from e2e.own_node import wait_until
from e2e.test_layer_stores import Site
from e2e.tool_paths import system_tool
from e2e.tree_description import describe, differences
from image.host.mount_calls import mount_points_below, unmount
from image.store.image_export import ExportImage, LayerBlob, archive_pieces, plan_export
from image.store.image_store import ImageStore
from image.store.tree_tar import TreeTar
from image.tests.fakes.fake_registry import FakeRegistry

pytestmark = pytest.mark.skipif(PEER, reason="the peer has no admin socket")

REPOSITORY = IDLE.rpartition(":")[0]


@pytest.fixture
def lading(node: Node) -> CommandLine:
    """Give the command line."""
    return CommandLine(node)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder of this test."""
    return tmp_path


def skopeo(*words: str) -> bytes:
    """Run skopeo and return what it printed."""
    command = [str(system_tool("skopeo")), *words]
    done = subprocess.run(command, capture_output=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def source(node: Node) -> str:
    """Name the test image in the registry as skopeo does."""
    return f"docker://{node.session.registry.address}/{IDLE.partition('/')[2]}"


def copy(node: Node, target: str, *more: str) -> None:
    """Have skopeo copy the test image out of the registry."""
    skopeo("copy", "-q", "--src-tls-verify=false", *more, source(node), target)


def digest_of(raw: bytes) -> str:
    """Return the digest of a document."""
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


def root_of(node: Node) -> Path:
    """Return the daemon's root directory."""
    assert isinstance(node.daemon, Lading)
    return node.daemon.root


def wait_nothing_staged(node: Node) -> None:
    """Nothing unfinished may stay; what was removed is deleted from there too, behind its removal."""
    wait_until(lambda: os.listdir(root_of(node) / "images/staging") == [])


def pulled(lading: CommandLine) -> str:
    """Pull the test image and return its id."""
    return lading("image", "pull", "-q", IDLE).out.strip()


def test_an_export_is_read_by_skopeo_in_both_forms(lading: CommandLine, folder: Path) -> None:
    image, tar = pulled(lading), folder / "a.tar"
    lading("image", "export", "-o", str(tar), IDLE)
    for transport in ("oci-archive", "docker-archive"):
        config = skopeo("inspect", "--config", "--raw", f"{transport}:{tar}")
        assert digest_of(config) == image
    skopeo("copy", "-q", f"oci-archive:{tar}", f"oci:{folder / 'layout'}:9")
    skopeo("copy", "-q", f"docker-archive:{tar}", f"docker-archive:{folder / 'd.tar'}:{IDLE}")
    lading("image", "export", "-o", f"{folder}/ours/", IDLE)
    command = ["umoci", "unpack", "--image", f"{folder / 'ours'}:1", str(folder / "bundle")]
    subprocess.run(command, capture_output=True, check=True, timeout=120)
    assert (folder / "bundle/rootfs/bin/busybox").exists()
    for name, more in (
        ("a.tar", ()),
        ("d.tar", ()),
        ("ours", ()),
        ("layout", ("--name", REPOSITORY)),
    ):
        lading("image", "rm", image)
        assert "imported 1 image" in lading("image", "import", *more, str(folder / name)).out
        assert lading.json("image", "inspect", image[7:20])["id"] == image
    pulled(lading)


def test_exact_is_the_registrys_own(node: Node, lading: CommandLine, folder: Path) -> None:
    pulled(lading)
    manifest = str(lading.json("image", "inspect", IDLE)["manifest_digest"])
    lading("image", "export", "--exact", "-o", f"{folder}/exact/", IDLE)
    ours = skopeo("inspect", "--raw", f"oci:{folder / 'exact'}")
    theirs = skopeo(
        "inspect", "--raw", "--tls-verify=false", f"{source(node).rpartition(':')[0]}@{manifest}"
    )
    assert ours == theirs
    assert digest_of(ours) == manifest
    for blob in (folder / "exact/blobs/sha256").iterdir():
        assert hashlib.sha256(blob.read_bytes()).hexdigest() == blob.name
    lading("image", "export", "--exact", "-o", str(folder / "exact.tar"), IDLE)
    skopeo("inspect", f"docker-archive:{folder / 'exact.tar'}")
    lading("image", "rm", lading("image", "inspect", "-q", IDLE).out.strip())
    lading("image", "import", str(folder / "exact.tar"))
    found = lading.json("image", "inspect", f"{REPOSITORY}@{manifest}")
    assert found["manifest_digest"] == manifest
    wait_nothing_staged(node)


def test_what_the_registry_does_not_have_is_not_exact(
    node: Node, lading: CommandLine, folder: Path
) -> None:
    image = pulled(lading)
    lading("image", "export", "-o", str(folder / "a.tar"), IDLE)
    lading("image", "rm", image)
    lading("image", "import", str(folder / "a.tar"))
    assert lading.json("image", "inspect", IDLE)["digests"] == []
    lading("image", "export", "--exact", "-o", str(folder / "no.tar"), IDLE, code=4)
    assert not (folder / "no.tar").exists()
    wait_nothing_staged(node)
    lading("image", "rm", image)
    pulled(lading)


@pytest.mark.parametrize("form", ["docker-archive", "oci-archive", "oci", "oci --all"])
def test_what_skopeo_writes_is_imported(
    node: Node, lading: CommandLine, folder: Path, form: str
) -> None:
    image = pulled(lading)
    lading("image", "rm", image)
    transport, _, every = form.partition(" ")
    target = folder / "theirs"
    tag = IDLE if transport == "docker-archive" else IDLE.rpartition(":")[2]
    copy(node, f"{transport}:{target}:{tag}", *every.split())
    out = lading("image", "import", "--name", REPOSITORY, str(target)).out
    found = lading.json("image", "inspect", IDLE)
    assert found["id"] == image
    assert bool(found["digests"]) is (transport != "docker-archive")
    assert ("linux/arm64" in out) is bool(every)
    again = lading("image", "import", "--name", REPOSITORY, str(target)).out
    assert "imported 0 images" in again
    read = lading("image", "import", "--again", "--name", REPOSITORY, str(target)).out
    assert "imported 0 images" in read
    for one in rows(lading.json("image", "ls"), "images"):
        if any(str(name).startswith(REPOSITORY) for name in one["digests"]):  # type: ignore[attr-defined]
            lading("image", "rm", str(one["id"]))
    if found["digests"] == []:
        lading("image", "rm", image)
    pulled(lading)


def test_one_platform_can_be_chosen(node: Node, lading: CommandLine, folder: Path) -> None:
    copy(node, f"oci:{folder / 'all'}:9", "--all")
    name, words = "arm.test/idle", ("image", "import", "--platform", "linux/arm64")
    out = lading(*words, "--name", name, str(folder / "all")).out
    assert "imported 1 image" in out
    assert lading.json("image", "inspect", f"{name}:9")["platform"] == "linux/arm64"
    lading("image", "rm", str(lading.json("image", "inspect", f"{name}:9")["id"]))
    lading("image", "import", "--platform", "linux/s390x", str(folder / "all"), code=2)
    wanted = ("image", "import", "--platform", "linux/s390x", "--name", name)
    assert "linux/arm64" in lading(*wanted, str(folder / "all"), code=4).err


def test_hostile_archives_leave_nothing(node: Node, lading: CommandLine, folder: Path) -> None:
    hostile = folder / "hostile"
    hostile.write_bytes(b"\xff" * 4096)
    assert "InvalidArchive" in lading("image", "import", str(hostile), code=1).err
    wait_nothing_staged(node)


@pytest.fixture(scope="module")
def registry() -> Iterator[FakeRegistry]:
    """Give a registry in this process."""
    with FakeRegistry() as registry:
        yield registry


def unpacked(layout: Path, bundle: Path) -> Path:
    """Have umoci unpack the one image of a layout."""
    command = ["umoci", "unpack", "--image", f"{layout}:v1", str(bundle)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return bundle / "rootfs"


@pytest.mark.parametrize("recipe", [one for one in RECIPES if "sparse" not in one])
async def test_extracted_layers_go_out_as_they_came(
    recipe: str, registry: FakeRegistry, tmp_path: Path
) -> None:
    (tmp_path / "certs" / registry.host).mkdir(parents=True)
    (tmp_path / "certs" / registry.host / "hosts.toml").write_text(f'server = "{registry.url}"\n')
    store = await ImageStore.open(tmp_path / "images", layer_store="extract")
    site = Site(store, tmp_path, registry)
    try:
        pushed = site.push(recipe.replace(",", "").replace(" ", "-"), RECIPES[recipe]())
        record = store.find(await site.pull(pushed))
        assert record is not None
        layers = []
        for layer in record.layers:
            tree = TreeTar(site.layers / layer.chain_id.partition(":")[2] / "root")
            content = b"".join(tree.pieces())
            layers.append(
                LayerBlob(digest=digest_of(content), size=len(content), pieces=tree.pieces)
            )
        image = ExportImage(
            names=record.repo_tags,
            config=await store.read_blob(record.id),
            parsed=record.config,
            layers=tuple(layers),
        )
        write_layout(tmp_path / "layout", archive_pieces(plan_export([image])))
        index = json.loads((tmp_path / "layout/index.json").read_bytes())
        assert len(index["manifests"]) == 1
        shown = await site.show(record.id)
        theirs = unpacked(tmp_path / "layout", tmp_path / "bundle")
        assert differences(describe(shown), describe(theirs))[:5] == []
    finally:
        await site.tasks.wait_all()
        store.close()
        for place in mount_points_below(tmp_path):
            unmount(place)
