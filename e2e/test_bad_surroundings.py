"""A node in trouble: full or read-only disk, CNI plugins and OCI runtimes that fail, hang or are missing.

Each test has a daemon of its own, because the trouble is in its settings or below its root.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest

from cri.api import api_pb2
from e2e.daemon import Lading
from e2e.faulty_programs import (
    PLUGIN_FAULTS,
    RUNTIME_FAULTS,
    behave,
    wait_hanging,
    write_faulty_network,
    write_faulty_runtime,
)
from e2e.images.catalogue import BUSYBOX, NGINX
from e2e.kubelet_requests import pod_config
from e2e.leftovers import remove_pod_cgroups, take_snapshot, wait_clean
from e2e.managed_process import StartFailed
from e2e.node import Node, refusal, refused
from e2e.own_node import wait_until
from e2e.session import Session
from e2e.tool_paths import runc

ANY_REFUSAL = tuple(code for code in grpc.StatusCode if code != grpc.StatusCode.OK)
NOT_OURS = tuple(
    code
    for code in grpc.StatusCode
    if code not in (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.OK)
)
Prepare = Callable[[Lading], None]


@contextmanager
def troubled_node(
    session: Session, prepare: Prepare, root: Path | None = None, image: str = BUSYBOX
) -> Iterator[Node]:
    """Run a daemon of its own with changed settings; afterwards nothing may be left of it."""
    places = (session.workspace, session.network)
    before = take_snapshot(*places)
    name = "own-" + secrets.token_hex(3)
    daemon = Lading(*places, session.registry.rules, instance=name, root=root)
    prepare(daemon)
    daemon.start()
    client = daemon.client()
    try:
        if image:
            client.pull(image)
        yield Node(session=session, daemon=daemon, client=client)
        client.remove_everything()
        remove_pod_cgroups(session.workspace)
    finally:
        client.close()
        daemon.stop()
    assert wait_clean(before, *places, client.seen_ids) == []


def nothing_special(daemon: Lading) -> None:
    """Leave the settings alone."""


@contextmanager
def small_disk(session: Session, megabytes: int) -> Iterator[Path]:
    """Give an empty file system of a size."""
    place = session.workspace.folder("small-" + secrets.token_hex(3))
    options = f"size={megabytes}m,mode=755"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def fill(folder: Path) -> Path:
    """Fill a file system to the last block and return the file that does."""
    path = folder / "ballast"
    with path.open("wb", buffering=0) as ballast:
        size = 1 << 20
        while size >= 512:
            try:
                ballast.write(bytes(size))
            except OSError:
                size //= 2
    return path


def used_kilobytes(folder: Path) -> int:
    """Return how much of a file system is used."""
    status = os.statvfs(folder)
    return (status.f_blocks - status.f_bfree) * status.f_frsize // 1024


def test_pull_onto_a_small_disk_fails_and_frees_what_it_took(session: Session) -> None:
    with (
        small_disk(session, 12) as disk,
        troubled_node(session, nothing_special, root=disk / "root", image="") as node,
    ):
        before = used_kilobytes(disk)
        with refused(grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNKNOWN, says="space"):
            node.client.pull(NGINX)
        wait_until(lambda: used_kilobytes(disk) < before + 512)
        assert node.client.version().runtime_name


def test_full_disk_refuses_new_pods_and_keeps_the_old_ones(session: Session) -> None:
    with (
        small_disk(session, 64) as disk,
        troubled_node(session, nothing_special, root=disk / "root") as node,
    ):
        pod = node.run()
        container_id = pod.started()
        ballast = fill(disk)
        code = refusal(lambda: node.run(node.shape("late")))
        assert code in (None, grpc.StatusCode.RESOURCE_EXHAUSTED)
        assert node.client.exec_sync(container_id, ["echo", "ok"]).stdout == b"ok\n"
        ballast.unlink()
        node.run(node.shape("later"))
        pod.remove()


def test_pods_can_be_removed_from_a_full_disk(session: Session) -> None:
    with (
        small_disk(session, 64) as disk,
        troubled_node(session, nothing_special, root=disk / "root") as node,
    ):
        pod = node.run()
        pod.started()
        ballast = fill(disk)
        pod.remove()
        assert node.client.pods() == []
        ballast.unlink()


def test_read_only_root_is_named_at_start(session: Session) -> None:
    with small_disk(session, 8) as disk:
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        places = (session.workspace, session.network, session.registry.rules)
        daemon = Lading(*places, instance="read-only", root=disk / "root")
        with pytest.raises(StartFailed, match="ended with"):
            daemon.start()
        assert str(disk) in daemon.process.tail()
        daemon.stop()


def test_root_that_becomes_read_only_refuses_with_a_reason(session: Session) -> None:
    with (
        small_disk(session, 64) as disk,
        troubled_node(session, nothing_special, root=disk / "root") as node,
    ):
        # MS_REMOUNT of the superblock is refused while files are open for writing; a read-only bind
        # over it is what a failing disk's remount looks like to new opens.
        subprocess.run(["mount", "--bind", disk, disk], check=True)
        try:
            subprocess.run(["mount", "-o", "remount,bind,ro", disk], check=True)
            code = refusal(lambda: node.run(node.shape("late")))
            assert code in (None, *NOT_OURS)
            assert node.client.version().runtime_name
        finally:
            subprocess.run(["umount", "-l", disk], check=True)
        node.client.remove_everything()
        node.run(node.shape("later"))


def faulty_network(folder: Path, behaviour: str) -> Prepare:
    """Return a change of settings that puts a misbehaving network in place."""

    def prepare(daemon: Lading) -> None:
        configuration, plugins = write_faulty_network(folder, behaviour)
        table = daemon.section("network")
        table["cni_conf_dir"] = str(configuration)
        table["cni_bin_dirs"] = [str(plugins)]

    return prepare


@pytest.mark.parametrize("behaviour", PLUGIN_FAULTS)
def test_faulty_network_plugin_fails_the_pod_and_says_why(session: Session, behaviour: str) -> None:
    folder = session.workspace.folder(f"network-{behaviour}")
    with troubled_node(session, faulty_network(folder, behaviour)) as node:
        config = pod_config(node.shape())
        # A plugin that breaks CNI's rules is the node's own fault, so INTERNAL is right for it.
        with refused(*ANY_REFUSAL, says="faulty"):
            node.client.run_pod(config)
        if behaviour == "fail":
            with refused(*NOT_OURS, says="no more blue addresses"):
                node.client.run_pod(config)
        ready = [pod for pod in node.client.pods() if pod.state == api_pb2.SANDBOX_READY]
        assert ready == []


def test_hanging_network_plugin_holds_only_its_own_pod(session: Session) -> None:
    folder = session.workspace.folder("network-hang")
    with troubled_node(session, faulty_network(folder, "hang")) as node:
        request = api_pb2.RunPodSandboxRequest(config=pod_config(node.shape()))
        with refused(grpc.StatusCode.DEADLINE_EXCEEDED):
            node.client.runtime.RunPodSandbox(request, timeout=2)
        assert node.client.version().runtime_name
        assert [p for p in node.client.pods() if p.state == api_pb2.SANDBOX_READY] == []
        behave(folder / "bin", "fail")
        wait_no_process(folder)


def wait_no_process(folder: Path) -> None:
    """Wait until no program of a folder runs any more; the stand-ins end by themselves in 25 s."""
    deadline = time.monotonic() + 85
    while time.monotonic() < deadline:
        done = subprocess.run(["pgrep", "-f", str(folder)], capture_output=True, check=False)
        if done.returncode != 0:
            return
        time.sleep(0.2)
    raise TimeoutError(f"a program below {folder} still runs")


def test_node_without_network_configuration_says_so(session: Session) -> None:
    empty = session.workspace.folder("network-none")

    def prepare(daemon: Lading) -> None:
        daemon.section("network")["cni_conf_dir"] = str(empty)

    with troubled_node(session, prepare) as node:
        status = node.client.runtime.Status(api_pb2.StatusRequest(), timeout=20).status
        conditions = {condition.type: condition for condition in status.conditions}
        assert conditions["RuntimeReady"].status
        assert not conditions["NetworkReady"].status
        assert conditions["NetworkReady"].reason == "NetworkPluginNotReady"
        with refused(*NOT_OURS, says=str(empty)):
            node.run()


def extra_handler(path: Path) -> Prepare:
    """Return a change of settings that adds a handler named `odd`."""

    def prepare(daemon: Lading) -> None:
        handlers = daemon.section("runtime")["handlers"]
        assert isinstance(handlers, dict)
        handlers["odd"] = {"path": str(path)}

    return prepare


def test_missing_runtime_program_is_named(session: Session) -> None:
    missing = Path("/nowhere/odd-runtime")
    with troubled_node(session, extra_handler(missing)) as node:
        node.handler = "odd"
        with refused(*NOT_OURS, says="odd"):
            node.run().started()
        node.handler = ""
        node.run().started()


@pytest.mark.parametrize("behaviour", RUNTIME_FAULTS)
def test_faulty_runtime_fails_the_container_and_says_why(session: Session, behaviour: str) -> None:
    folder = session.workspace.folder(f"runtime-{behaviour}")
    program = write_faulty_runtime(folder, runc(), behaviour)
    with troubled_node(session, extra_handler(program)) as node:
        node.handler = "odd"
        says = "moon is too bright" if behaviour == "fail" else "odd-runtime"
        with refused(*ANY_REFUSAL, says=says):
            node.run().started()
        assert node.client.containers() == []


def test_hanging_runtime_holds_only_its_own_container(session: Session) -> None:
    folder = session.workspace.folder("runtime-hang")
    program = write_faulty_runtime(folder, runc(), "hang")
    with troubled_node(session, extra_handler(program)) as node:
        node.handler = "odd"
        pod = node.run()
        node.handler = ""
        with ThreadPoolExecutor(1) as pool:
            stuck = pool.submit(lambda: refusal(pod.create))
            wait_hanging(folder)
            container_id = node.run(node.shape("fine")).started()
            assert node.client.exec_sync(container_id, ["true"]).exit_code == 0
            assert stuck.result(timeout=110) not in (None, grpc.StatusCode.UNIMPLEMENTED)
        pod.remove()
        wait_no_process(folder)


@pytest.mark.parametrize("how", ["stop container", "stop pod", "remove pod"])
@pytest.mark.parametrize("verb", ["create", "start"])
def test_hanging_runtime_cannot_keep_a_pod_from_ending(
    session: Session, verb: str, how: str
) -> None:
    folder = session.workspace.folder(f"runtime-hang-{verb}-{how.replace(' ', '-')}")
    program = write_faulty_runtime(folder, runc(), f"hang-{verb}")
    with troubled_node(session, extra_handler(program)) as node:
        node.handler = "odd"
        pod = node.run()
        container_id = pod.create() if verb == "start" else ""
        call = (lambda: node.client.start(container_id)) if container_id else pod.create
        with ThreadPoolExecutor(1) as pool:
            stuck = pool.submit(lambda: refusal(call))
            wait_hanging(folder)
            begin = time.monotonic()
            if how == "stop container" and container_id:
                node.client.stop(container_id, timeout=2)
                assert node.client.status(container_id).state == api_pb2.CONTAINER_EXITED
            if how == "remove pod":
                node.client.remove_pod(pod.id)
                assert node.client.pods() == []
            else:
                node.client.stop_pod(pod.id)
            assert time.monotonic() - begin < 30, "it waited for the runtime, which sleeps 100 s"
            assert stuck.result(timeout=60) == grpc.StatusCode.FAILED_PRECONDITION
