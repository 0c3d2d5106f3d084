"""Layers on the real kernel: what containers see equals what umoci unpacks, file by file, however layers are kept."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from e2e.image_forms import FORMS, Push, oci
from e2e.layer_recipes import RECIPES, base
from e2e.tree_description import (
    describe,
    described_directories,
    differences,
    tar_extract,
    umoci_unpack,
)
from image.errors import ImageError
from image.host.mount_calls import mount_points_below, unmount
from image.pulls.puller import Puller, PullSettings
from image.store.image_store import ImageStore
from image.tests.fakes.fake_registry import FakeRegistry, Fault, PushedImage
from image.tests.pulls.subprocess_launcher import SubprocessLauncher, TaskKeeper
from image.tests.store.tar_making import TarMaker
from runtime.host.host import OverlayMount
from runtime.host.overlay import mount_overlay

WAYS = ("file", "loop", "extract")


@pytest.fixture(scope="module")
def registry() -> Iterator[FakeRegistry]:
    """Give a registry in this process."""
    with FakeRegistry() as registry:
        yield registry


class Site:
    """A store of its own, and what was mounted over it."""

    def __init__(self, store: ImageStore, folder: Path, registry: FakeRegistry) -> None:
        self.store, self.folder, self.registry = store, folder, registry
        self.launcher, self.tasks = SubprocessLauncher(), TaskKeeper()
        self._settings = PullSettings(
            registry_config_path=str(folder / "certs"), platform="linux/amd64"
        )
        self._mounts = 0

    @property
    def layers(self) -> Path:
        """Where layers are kept."""
        return self.store.root / "layers"

    def push(self, name: str, tars: list[bytes], form: Push = oci) -> PushedImage:
        """Put an image into the registry."""
        return form(self.registry, f"e2e/{name}", tars)

    async def pull(self, image: PushedImage) -> str:
        """Pull it and return its id."""
        puller = Puller(self.store, self._settings, self.launcher, self.tasks)
        return (await puller.pull(f"{image.name}:v1")).id

    async def show(self, image_id: str) -> Path:
        """Mount it as a container's root filesystem."""
        self._mounts += 1
        place = self.folder / f"container{self._mounts}"
        lower = await self.store.acquire(image_id, place.name)
        target = place / "root"
        mount_overlay(
            OverlayMount(target=target, lower=lower, upper=place / "upper", work=place / "work")
        )
        return target

    def kinds(self) -> set[str]:
        """Say how the layers are kept."""
        return {
            "erofs" if (place / "tar").exists() else "extract" for place in self.layers.iterdir()
        }


@pytest.fixture(params=WAYS)
async def site(
    request: pytest.FixtureRequest, tmp_path: Path, registry: FakeRegistry
) -> AsyncIterator[Site]:
    """Give a store that keeps layers in each of the ways."""
    (tmp_path / "certs" / registry.host).mkdir(parents=True)
    (tmp_path / "certs" / registry.host / "hosts.toml").write_text(f'server = "{registry.url}"\n')
    store = await ImageStore.open(tmp_path / "images", layer_store=str(request.param))
    site = Site(store, tmp_path, registry)
    yield site
    await site.tasks.wait_all()
    store.close()
    for place in mount_points_below(tmp_path):
        unmount(place)


@pytest.mark.parametrize("recipe", RECIPES)
async def test_root_is_what_umoci_unpacks(site: Site, recipe: str, tmp_path: Path) -> None:
    tars = RECIPES[recipe]()
    form = FORMS[list(RECIPES).index(recipe) % len(FORMS)]
    image = site.push(recipe.replace(",", "").replace(" ", "-"), tars, form)
    root = await site.show(await site.pull(image))
    theirs = (tar_extract if recipe == "sparse, gnu" else umoci_unpack)(image, tmp_path)
    # umoci leaves its own time on directories that a layer goes back and forth about
    timed = described_directories(tars) if recipe != "short lists" else frozenset()
    assert differences(describe(root, timed), describe(theirs, timed))[:5] == []
    expected = "extract" if "extract" in site.store.layer_choice.new_kind else "erofs"
    assert site.kinds() == {expected}


async def test_root_can_be_changed_without_touching_the_layer(site: Site) -> None:
    image = site.push("changed", [base().done()])
    image_id = await site.pull(image)
    one, two = await site.show(image_id), await site.show(image_id)
    before = describe(two)
    (one / "file").write_bytes(b"above")
    (one / "d/1").unlink()
    os.rename(one / "d/2", one / "e/moved")
    for path in (one / "o").iterdir():
        path.unlink()
    (one / "o").rmdir()
    assert describe(two) == before
    assert (one / "file").read_bytes() == b"above"


async def test_suid_works_although_layers_are_mounted_without(site: Site) -> None:
    program = Path("/usr/bin/id").read_bytes()
    root = await site.show(
        await site.pull(site.push("suid", [TarMaker().add("id", program, mode=0o4755).done()]))
    )
    for path in (site.folder, root.parent):
        path.chmod(0o755)
    descriptor = os.open(root, os.O_PATH)  # the folders of pytest above are closed to others
    # By a program: a child of this process, which has threads, would change its user between fork and exec.
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    try:
        done = subprocess.run(
            [*nobody, f"/proc/self/fd/{descriptor}/id", "-u"],
            pass_fds=(descriptor,),
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        os.close(descriptor)
    assert (root / "id").read_bytes() == program
    assert (done.returncode, done.stdout, done.stderr) == (0, "0\n", "")


async def test_mounts_survive_the_store_and_go_with_the_image(site: Site) -> None:
    image_id = await site.pull(site.push("removed", [base().done(), TarMaker().add("t").done()]))
    root = await site.show(image_id)
    site.store.close()  # a container still uses it
    mounted = mount_points_below(site.layers)
    assert len(mounted) == (2 if site.kinds() == {"erofs"} else 0)
    again = await ImageStore.open(site.store.root, layer_store=site.store.layer_choice.mode)
    await again.reconcile(frozenset({"container1"}))
    assert (await again.acquire(image_id, "other"))[0].is_dir()
    assert mount_points_below(site.layers) == mounted
    await again.remove(image_id)
    assert (root / "file").read_bytes() == b"below"
    unmount(root)
    await again.release("container1")
    await again.release("other")
    assert mount_points_below(site.layers) == ()
    assert await again.wait_removed(30)
    assert os.listdir(site.layers) == os.listdir(site.store.root / "staging") == []
    again.close()


async def test_killed_worker_leaves_nothing(site: Site) -> None:
    image = site.push("killed", [base().done(), TarMaker().add("big", os.urandom(1 << 20)).done()])
    site.registry.add_fault(
        Fault(kind="stall", at_byte=9000, only=image.layers[-1].digest, times=-1)
    )
    pull = asyncio.get_running_loop().create_task(site.pull(image))
    async with asyncio.timeout(60):
        while not pull.done() and not os.listdir(site.layers):
            await asyncio.sleep(0.01)
    site.launcher.started[0].kill()
    with pytest.raises(ImageError):
        await pull
    assert os.listdir(site.store.root / "staging") == []
    await site.store.reconcile(frozenset())
    assert os.listdir(site.layers) == []
    assert mount_points_below(site.layers) == ()
