"""kill -9 of pull workers and of the daemon at random points of pulls and removals: no damaged image, nothing left behind.

The points are spread over the bytes that the registry sends, the moments after the last byte, and the moments of a
removal. The seed of each run is printed with a failure and can be given in LADING_E2E_SEED.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import random
import secrets
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest

from cri.api import api_pb2
from e2e.conftest import PEER
from e2e.counting_registry import CountingServer, counting_registry
from e2e.cri_client import Client, connected
from e2e.daemon import Lading
from e2e.images.image import PublishedImage, Settings, publish
from e2e.images.layer import PLAIN, Entry, Layer, build_layer, digest_of, regular, tar_bytes
from e2e.kubelet_requests import ContainerShape
from e2e.leftovers import Snapshot, take_snapshot, wait_clean
from e2e.made_images import busybox_layer
from e2e.node import Node
from e2e.session import Session
from e2e.store_state import StoreState, damaged, store_state, worker_pids

pytestmark = pytest.mark.skipif(PEER, reason="kills what only Lading has")

KILLS = 25
"""In each of the eight tests: two hundred in all."""
MEGABYTE = 1 << 20
RATE = 90 * MEGABYTE
SETTLE_SECONDS = 60.0
SLACK, BYTES_PER_KILL = 1.05, 8 * MEGABYTE
"""What is fetched more than once: a little, and what was under way when something was killed."""


def marked(content: bytes) -> Entry:
    """Return a file whose name tells what it must hold."""
    return regular(f"data/{hashlib.sha256(content).hexdigest()}", content)


def stored(entries: list[Entry]) -> Layer:
    """Return a gzip layer that was not packed any smaller: random bytes only cost time."""
    plain = tar_bytes(entries)
    blob = gzip.compress(plain, compresslevel=0, mtime=0)
    return Layer(blob=blob, compression="gzip", diff_id=digest_of(plain))


@dataclass(frozen=True, kw_only=True)
class Victim:
    """An image to be pulled, and the files that it must have."""

    tag: str
    image: PublishedImage
    files: frozenset[str]

    @property
    def size(self) -> int:
        """Bytes of what a node pulls: everything but the decoy's."""
        return sum(map(len, self.image.blobs.values()))


@pytest.fixture(scope="module")
def victims() -> tuple[Victim, ...]:
    """Give three large layers, and one layer of many files."""
    chance = random.Random(1)
    large = [[marked(chance.randbytes(size * MEGABYTE))] for size in (20, 24, 28)]
    many = [marked(chance.randbytes(chance.randrange(200, 9000))) for _ in range(3000)]
    layers = {
        "large": [stored(large[0]), build_layer(large[1], PLAIN), build_layer(large[2], "zstd")],
        "many": [build_layer(many, "gzip")],
    }
    entries = {"large": [one for group in large for one in group], "many": many}
    return tuple(
        Victim(
            tag=tag,
            image=publish(Settings(command=("sh",)), [busybox_layer(), *layers[tag]]),
            files=frozenset(one.path.rpartition("/")[2] for one in entries[tag]),
        )
        for tag in layers
    )


@dataclass
class Site:
    """One private daemon, its registry, and what was done to them."""

    daemon: Lading
    registry: CountingServer
    host: str
    chance: random.Random
    baseline: StoreState
    kills: int = 0
    workers_seen: set[tuple[int, int]] = field(default_factory=set)

    def name(self, victim: Victim) -> str:
        """Return the reference of an image."""
        return f"{self.host}/test/image:{victim.tag}"

    def see_workers(self) -> list[int]:
        """Return the workers that live now, and remember them."""
        pids = worker_pids(self.daemon)
        for pid in pids:
            with suppress(OSError):
                self.workers_seen.add((pid, started(pid)))
        return pids


def started(pid: int) -> int:
    """Return when a process was started, in clock ticks since the boot."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])


@contextmanager
def site_of(session: Session, victims: tuple[Victim, ...], kind: str, seed: str) -> Iterator[Site]:
    """Run a daemon with a store of its own; afterwards nothing of it may be left."""
    instance = f"killed{secrets.token_hex(3)}"
    host = f"{instance}.invalid"
    rules = session.registry.rules
    before = take_snapshot(session.workspace, session.network)
    images = {victim.tag: victim.image for victim in victims}
    with counting_registry(rules, host, images, bytes_per_second=RATE) as registry:
        daemon = Lading(session.workspace, session.network, rules, instance=instance)
        daemon.section("image")["layer_store"] = kind
        daemon.start()
        try:
            site = Site(daemon, registry, host, random.Random(seed), store_state(daemon.root))
            finish_pull(site, victims[-1])  # directories that stay are made by the first image
            assert Call(daemon.address, "remove", site.name(victims[-1])).finish() is None
            site.baseline = empty_state(daemon.root)
            yield site
        finally:
            daemon.stop()
    check_nothing_runs(session, before)


def empty_state(root: Path) -> StoreState:
    """Look at a store without images, when the content of the last one is deleted behind its removal."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        state = store_state(root)
        if not any(name.startswith(("layers/", "staging/")) for name in state.files):
            assert state.rows == (0, 0, 0, 0, 0)
            return state
        assert time.monotonic() < deadline, state.files
        time.sleep(0.05)


def check_nothing_runs(session: Session, before: Snapshot) -> None:
    """No process, mount or cgroup may outlive a daemon without images and pods."""
    assert wait_clean(before, session.workspace, session.network, ()) == []


class Call:
    """A CRI call in a thread of its own, which a kill may break off."""

    def __init__(self, address: str, verb: str, reference: str) -> None:
        """Begin the call."""
        self._address, self._verb, self._reference = address, verb, reference
        self.error: grpc.RpcError | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        spec = api_pb2.ImageSpec(image=self._reference)
        with connected(self._address) as client:
            try:
                if self._verb == "pull":
                    client.image.PullImage(api_pb2.PullImageRequest(image=spec), timeout=120)
                else:
                    client.image.RemoveImage(api_pb2.RemoveImageRequest(image=spec), timeout=120)
            except grpc.RpcError as error:
                self.error = error

    def running(self) -> bool:
        """Tell whether there is no answer yet."""
        return self._thread.is_alive()

    def finish(self) -> grpc.RpcError | None:
        """Wait for the answer; return the refusal."""
        self._thread.join(130)
        assert not self._thread.is_alive(), f"{self._verb} has no end"
        return self.error


def wait_for_point(site: Site, call: Call, victim: Victim) -> None:
    """Wait for a random moment of a pull: most lie between its bytes, some before, some behind the last one."""
    lot = site.chance.random()
    if lot < 0.15:
        time.sleep(site.chance.random() * 0.3)
        return
    # What was fetched before is not sent again, so the target may lie behind the end: then the call ends.
    target = site.registry.total_sent() + int(site.chance.random() * victim.size)
    deadline = time.monotonic() + 120
    while call.running() and not site.registry.wait_sent(target, 0.02):
        site.see_workers()
        assert time.monotonic() < deadline, "the pull does not come on"
    if lot > 0.8:
        time.sleep(site.chance.random() * 0.2)


def kill_daemon(site: Site) -> None:
    """End the daemon as a crash does, and start it again."""
    site.see_workers()
    site.daemon.kill()
    site.kills += 1
    site.daemon.start()


def break_pull(site: Site, victim: Victim) -> bool:
    """Pull, and kill the worker or the daemon on the way; tell whether the image is there now."""
    call = Call(site.daemon.address, "pull", site.name(victim))
    wait_for_point(site, call, victim)
    if site.chance.random() < 0.5:
        kill_daemon(site)
        call.finish()
    else:
        for pid in site.see_workers():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        site.kills += 1
        error = call.finish()
        if error is not None:
            assert error.code() == grpc.StatusCode.UNAVAILABLE, error.details()
            assert "WorkerDied" in str(error.details())
    check_whole(site, (victim,))
    return bool(listed(site))


def listed(site: Site) -> set[str]:
    """Return the names of the images that the daemon lists."""
    with connected(site.daemon.address) as client:
        answer = client.image.ListImages(api_pb2.ListImagesRequest(), timeout=30)
    return {tag for image in answer.images for tag in image.repo_tags}


def check_whole(site: Site, victims: tuple[Victim, ...]) -> None:
    """Every image that is listed must be whole, and every layer that is there."""
    assert damaged(site.daemon) == []
    found: set[str] = set()
    for root in (site.daemon.root / "images/layers").glob("*/root"):
        if (root.parent / "tar").exists():
            continue  # hashed whole by fsck
        for path in root.glob("data/*"):
            with path.open("rb") as file:
                assert hashlib.file_digest(file, "sha256").hexdigest() == path.name
            found.add(path.name)
    names = listed(site)
    for victim in victims:
        if site.name(victim) in names and found:
            assert victim.files <= found


def finish_pull(site: Site, victim: Victim) -> None:
    """Pull to the end."""
    error = Call(site.daemon.address, "pull", site.name(victim)).finish()
    assert error is None, error.details()
    assert site.name(victim) in listed(site)
    check_whole(site, (victim,))


def break_removal(site: Site, victim: Victim) -> None:
    """Remove an image, and kill the daemon meanwhile; the image is whole or absent then."""
    call = Call(site.daemon.address, "remove", site.name(victim))
    time.sleep(site.chance.random() * 0.03)
    kill_daemon(site)
    call.finish()
    check_whole(site, (victim,))


def check_baseline(site: Site) -> None:
    """Without images the store is what it was: no byte, no mount and no row more."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while (now := store_state(site.daemon.root)) != site.baseline:
        if time.monotonic() > deadline:
            assert now.files - site.baseline.files == set()
            assert now == site.baseline
        time.sleep(0.05)


def one_round(site: Site, victim: Victim) -> None:
    """Pull with some kills until the image is there, and remove it with some kills."""
    sent, kills = site.registry.total_sent(), site.kills
    for _ in range(site.chance.randint(1, 5)):
        if site.kills == KILLS or break_pull(site, victim):
            break
    finish_pull(site, victim)
    fetched, broken = site.registry.total_sent() - sent, site.kills - kills
    assert fetched <= SLACK * victim.size + broken * BYTES_PER_KILL, (fetched, victim.size, broken)
    for _ in range(site.chance.randint(0, 2)):
        if site.kills < KILLS:
            break_removal(site, victim)
    assert Call(site.daemon.address, "remove", site.name(victim)).finish() is None
    assert listed(site) == set()
    check_baseline(site)


def check_container(session: Session, site: Site, victim: Victim, client: Client) -> None:
    """What a container sees of the image after all that is right."""
    node = Node(session=session, daemon=site.daemon, client=client)
    pod = node.run()
    container = pod.started(ContainerShape(image=site.name(victim)))
    script = 'cd data && for f in *; do echo $f " $f"; done | sha256sum -c -s && ls | wc -l'
    said = client.exec_sync(container, ["sh", "-c", script], timeout=100)
    assert (said.exit_code, said.stdout.split()) == (0, [str(len(victim.files)).encode()])
    client.remove_everything()


@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize("kind", ["auto", "extract"])
def test_nothing_is_damaged_or_left_by_kills(
    session: Session, victims: tuple[Victim, ...], kind: str, number: int
) -> None:
    seed = f"{os.environ.get('LADING_E2E_SEED') or secrets.token_hex(4)}/{kind}/{number}"
    print(f"seed {seed}")
    with site_of(session, victims, kind, seed) as site:
        while site.kills < KILLS:
            one_round(site, site.chance.choice(victims))
        victim = victims[number % len(victims)]
        finish_pull(site, victim)
        with connected(site.daemon.address) as client:
            check_container(session, site, victim, client)
        assert Call(site.daemon.address, "remove", site.name(victim)).finish() is None
        check_baseline(site)
        site.see_workers()
        site.daemon.stop()
        deadline = time.monotonic() + SETTLE_SECONDS
        while left := [one for one in site.workers_seen if still_there(*one)]:
            assert time.monotonic() < deadline, left
            time.sleep(0.05)


def still_there(pid: int, since: int) -> bool:
    """Tell whether a process lives that was seen before; whoever has ended may wait for its new parent."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state != "Z" and started(pid) == since
    except OSError:
        return False
