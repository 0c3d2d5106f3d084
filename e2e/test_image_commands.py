"""The image verbs against a real daemon and registry: pull, list, keep, question, remove."""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from e2e.command_line import CommandLine, rows
from e2e.conftest import PEER
from e2e.daemon import Lading
from e2e.images.catalogue import BUSYBOX, NGINX
from e2e.images.layer import regular
from e2e.lying_registry import REFERENCE, Answer, Handler, LyingServer, honest_answers
from e2e.made_images import image_of, made_image
from e2e.node import Node
from e2e.own_node import wait_checked
from e2e.registry import write_mirror_rules
from image.tests.fakes.fake_registry import FakeRegistry, layer_of

pytestmark = pytest.mark.skipif(PEER, reason="the peer has no admin socket")


@pytest.fixture
def lading(node: Node) -> CommandLine:
    """Give the command line."""
    return CommandLine(node)


class GatedHandler(Handler):
    """Sends half of each large answer, then waits until the test opens the gate."""

    gate = threading.Event()

    def send(self, answer: Answer) -> None:
        """Send one answer, large ones in halves."""
        if len(answer.body) < 100_000 or self.command == "HEAD":
            super().send(answer)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        half = len(answer.body) // 2
        self.wfile.write(answer.body[:half])
        self.gate.wait(300)
        self.wfile.write(answer.body[half:])


@contextmanager
def gated_registry(node: Node) -> Iterator[threading.Event]:
    """Serve REFERENCE by a registry that stops in the middle of layers."""
    image = image_of([regular("big", secrets.token_bytes(1_000_000))])
    server = LyingServer(honest_answers(image))
    server.RequestHandlerClass = GatedHandler
    GatedHandler.gate = threading.Event()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    address = f"127.0.0.1:{server.server_port}"
    write_mirror_rules(node.session.registry.rules, address, ["lies.invalid"])
    try:
        yield GatedHandler.gate
    finally:
        GatedHandler.gate.set()
        server.shutdown()
        server.server_close()


def wait_pulls(
    lading: CommandLine, wanted: Callable[[list[dict[str, object]]], bool]
) -> list[dict[str, object]]:
    """Ask for the running pulls until they are as wanted."""
    until = time.monotonic() + 60
    while not wanted(pulls := rows(lading.json("image", "pulls"), "pulls")):
        assert time.monotonic() < until, f"pulls are {pulls}"
    return pulls


def test_pull_tells_what_it_did_and_ls_shows_it(lading: CommandLine) -> None:
    said = lading("image", "pull", "--progress", "lines", NGINX)
    assert NGINX in said.out
    assert "\x1b" not in said.out + said.err
    images = {str(one["tags"]): one for one in rows(lading.json("image", "ls"), "images")}
    one = images[str([NGINX])]
    size, unique = one["size_bytes"], one["unique_bytes"]
    assert isinstance(size, int)
    assert isinstance(unique, int)
    assert 0 < unique <= size
    assert "up to date" in lading("image", "pull", "--progress", "lines", NGINX).out
    lines = lading("image", "pull", NGINX).out.splitlines()
    last = json.loads(lines[-1])
    assert (last["schema"], last["event"]) == ("lading.image-pull/v1", "done")
    assert lading("image", "pull", "-q", NGINX).out.strip() == last["id"]
    inspected = lading.json("image", "inspect", NGINX)
    assert inspected["id"] == last["id"]
    assert all(one["source"] == inspected["source"] for one in rows(inspected, "layers"))
    assert str(inspected["config_source"]).startswith("http")


def test_an_absent_image_is_told_with_every_endpoint(lading: CommandLine) -> None:
    said = lading("image", "pull", "registry.k8s.io/no/such:1", code=4)
    assert "the registry does not know it" in said.err
    lading("image", "inspect", "none.test/x:1", code=4)


def test_the_kubelets_pull_shows_and_can_be_cancelled(node: Node, lading: CommandLine) -> None:
    with gated_registry(node):
        refusals: list[str] = []

        def pull() -> None:
            try:
                node.client.pull(REFERENCE)
            except Exception as error:  # the refusal is what the test is about
                refusals.append(str(error))

        caller = threading.Thread(target=pull)
        caller.start()
        joined = lading.start("image", "pull", REFERENCE)
        (one,) = wait_pulls(
            lading,
            lambda pulls: bool(pulls) and pulls[0]["waiters"] == 2 and bool(pulls[0]["bytes"]),
        )
        assert (one["reference"], one["phase"]) == (REFERENCE, "downloading")
        assert one["callers"] == {"cri": 1, "operator": 1}
        assert "1 kubelet or crictl" in lading("image", "pulls").out
        lading("operations", "cancel", str(one["operation"]))
        caller.join(60)
        assert "cancelled by an operator" in refusals[0]
        out, _ = joined.communicate(timeout=60)
        assert joined.returncode == 1
        assert "PullCancelled" in out


def test_a_pull_ends_when_its_operator_leaves(node: Node, lading: CommandLine) -> None:
    with gated_registry(node):
        pulling = lading.start("image", "pull", REFERENCE)
        wait_pulls(lading, bool)
        pulling.kill()
        pulling.communicate(timeout=60)
        wait_pulls(lading, lambda pulls: not pulls)


def test_a_used_image_is_refused_with_what_keeps_it(node: Node, lading: CommandLine) -> None:
    with made_image(node):
        pod = node.run()
        config_image = node.client.pull(BUSYBOX)
        pod.started()
        said = lading("image", "rm", BUSYBOX, code=7)
        assert f"kept by default/{pod.shape.name}/main" in said.err or pod.shape.name in said.err
        assert pod.shape.name in lading("why", f"image:{BUSYBOX}").out
        pruned = lading.json("image", "prune", "--dry-run")
        assert config_image not in {one["id"] for one in rows(pruned, "removed")}
        pod.remove()


def test_pins_keep_and_tags_name(node: Node, lading: CommandLine) -> None:
    with made_image(node):
        lading("image", "tag", REFERENCE, "local.test/other:1")
        lading("image", "pin", "--name", "boot", "local.test/other:1")
        assert "ImagePinned" in lading("image", "rm", "local.test/other:1", code=7).err
        assert lading("image", "rm", REFERENCE).out.startswith("removed the name")
        node.restart(crash=True)
        assert "boot" in lading("why", "image:local.test/other:1").out
        lading("image", "unpin", "local.test/other:1")
        assert "free again" in lading("image", "rm", "local.test/other:1").out
        lading("why", "image:local.test/other:1", code=4)


def test_prune_frees_what_it_says(node: Node, lading: CommandLine) -> None:
    wait_checked(node)  # other tests end the daemon as a crash does
    with made_image(node, [regular("large", b"x" * 2_000_000)]):
        before = _used(lading)
        dry = lading.json("image", "prune", "--dry-run")
        done = lading.json("image", "prune")
        assert dry["freed_bytes"] == done["freed_bytes"]
        freed = done["freed_bytes"]
        assert isinstance(freed, int)
        assert before - _used(lading) == freed > 2_000_000
    node.pull_busybox()


def _used(lading: CommandLine) -> int:
    used = lading.json("image", "ls")["used_bytes"]
    assert isinstance(used, int)
    return used


def test_resolve_tells_the_place_that_a_pull_asks(node: Node, lading: CommandLine) -> None:
    answer = lading.json("image", "resolve", BUSYBOX)
    works = [one for one in rows(answer, "endpoints") if one["works"]]
    assert works
    assert str(works[0]["url"]).startswith(f"http://{node.session.registry.address}/v2/")
    assert "<- a pull takes this" in lading("image", "resolve", BUSYBOX).out
    nowhere = lading("image", "resolve", "nowhere.invalid/x:1", code=3)
    assert "https://nowhere.invalid" in nowhere.out


def test_a_pull_asks_what_resolve_says(node: Node, lading: CommandLine) -> None:
    with FakeRegistry() as first, FakeRegistry() as second:
        pushed = second.push_image("team/app", "v1", layers=[layer_of({"a": b"1"})])
        folder = node.session.registry.rules / "resolved.invalid"
        folder.mkdir()
        hosts = f'[host."{first.url}"]\n[host."{second.url}"]\n'
        (folder / "hosts.toml").write_text(f'server = "http://127.0.0.1:1"\n{hosts}')
        name = "resolved.invalid/team/app:v1"
        found = rows(lading.json("image", "resolve", name), "endpoints")
        assert [str(one["rule"]).rpartition("/")[2] for one in found] == [
            "hosts.toml:2",
            "hosts.toml:3",
            "hosts.toml:1",
        ]
        assert [one["works"] for one in found] == [False, True, False]
        assert all("docker_config_path is not set" in str(one["auth_why"]) for one in found)
        said = [_asked(registry) for registry in (first, second)]
        image = lading("image", "pull", "-q", name).out.strip()
        assert image == pushed.config_digest
        for registry, url, before in zip((first, second), found, said, strict=False):
            path = str(url["url"]).removeprefix(registry.url)
            assert before == [path]
            assert _asked(registry)[1] == path
        lading("image", "rm", image)


def _asked(registry: FakeRegistry) -> list[str]:
    """Return the manifests that a registry was asked for, in order, with their queries."""
    return [one.path for one in registry.requests if "/manifests/" in one.path]


def test_all_tags_of_a_repository_are_pulled(lading: CommandLine) -> None:
    repository = BUSYBOX.rpartition(":")[0]
    out = lading("image", "pull", "--all-tags", repository).out
    assert BUSYBOX in out
    lading("image", "pull", "--all-tags", BUSYBOX, code=2)


def test_damage_is_found_and_repaired(node: Node, lading: CommandLine) -> None:
    lading("image", "pull", NGINX)
    assert lading("image", "fsck").out.startswith("ok: ")
    layers = rows(lading.json("image", "inspect", NGINX), "layers")
    top = next(one for one in layers if one["images"] == 1)
    assert isinstance(node.daemon, Lading)
    place = node.daemon.root / "images/layers" / str(top["chain_id"]).partition(":")[2]
    if top["kind"] != "erofs":
        pytest.skip("extracted layers have no digest")
    with (place / "tar").open("r+b") as tar:
        tar.write(b"damage")
    said = lading("image", "fsck", code=3)
    assert "its tar has another digest" in said.out
    assert NGINX in said.out
    assert f"repaired {NGINX}" in lading("image", "fsck", "--repair").out
    assert lading("image", "fsck").out.startswith("ok: ")
