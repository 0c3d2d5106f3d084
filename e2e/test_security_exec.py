"""Security rules G1, G5 and D7 on real runtimes: what an exec may cost, and what a container or program inherits."""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import grpc
import pytest

from cri.api import api_pb2
from e2e.daemon import Lading, handler_paths
from e2e.images.layer import regular, symlink
from e2e.kubelet_requests import ContainerShape
from e2e.looking_inside import LIST_OWN, Change, of_image, output, script
from e2e.made_images import SHELL, made_image
from e2e.node import Node, heard, refused, said, wait_program
from e2e.session import Session
from e2e.test_bad_surroundings import troubled_node

INVALID = grpc.StatusCode.INVALID_ARGUMENT
ANSWER = (16 << 20) - 4096
"""Both streams together: what the kubelet and crictl take in one message."""
POUR = "head -c 100000000"
"""Much more than is kept, and not bounded by time, which may pass without a processor for it."""
COUNT_POURED = "cat /tmp/poured 2>/dev/null | wc -l"


def resident_mebibytes(node: Node) -> int:
    """Return how much memory the daemon has now."""
    assert isinstance(node.daemon, Lading)
    process = node.daemon.process.process
    assert process is not None
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) // 1024


def wait_until(reached: Callable[[], bool], seconds: float, what: str) -> None:
    """Poll until something is true."""
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


# --- G1: 16 MiB per stream


@pytest.mark.parametrize("stream", ["stdout", "stderr", "both"])
def test_g1_endless_output_is_cut_and_its_memory_is_given_back(
    each_node: Node, stream: str
) -> None:
    container_id = each_node.run().started()
    each_node.client.exec_sync(container_id, ["true"])
    before = resident_mebibytes(each_node)
    pour = {
        "stdout": f"{POUR} /dev/zero",
        "stderr": f"{POUR} /dev/zero >&2",
        "both": f"{POUR} /dev/zero & {POUR} /dev/zero >&2; wait",
    }[stream]
    for _ in range(2):
        answer = each_node.client.exec_sync(container_id, ["sh", "-c", pour], timeout=100)
        sizes = {"stdout": len(answer.stdout), "stderr": len(answer.stderr)}
        assert sum(sizes.values()) == ANSWER
        assert stream == "both" or sizes[stream] == ANSWER
    wait_until(
        lambda: resident_mebibytes(each_node) < before + 40,
        60,
        f"more than 40 MiB are held that were not before ({before} MiB)",
    )


def test_g1_time_limit_holds_while_output_pours(each_node: Node) -> None:
    container_id = each_node.run().started()
    begin = time.monotonic()
    with refused(grpc.StatusCode.DEADLINE_EXCEEDED):
        each_node.client.exec_sync(container_id, ["cat", "/dev/zero"], timeout=2)
    assert time.monotonic() - begin < 60  # an answer of the daemon, not the end of the call
    assert "cat /dev/zero" not in output(each_node, container_id, "ps", "-o", "args")


def test_g1_others_are_served_while_output_pours(node: Node) -> None:
    container_id = node.run().started()
    pour = (
        f"{POUR} /dev/zero; echo x >>/tmp/poured; cat /dev/zero & "
        "until [ -e /tmp/enough ]; do sleep 0.1; done; kill $!"
    )
    with ThreadPoolExecutor(4) as pool:
        pours = [
            pool.submit(node.client.exec_sync, container_id, ["sh", "-c", pour], 100)
            for _ in range(4)
        ]
        asked = 0
        while asked < 10 or output(node, container_id, "sh", "-c", COUNT_POURED) != "4":
            assert node.client.version(timeout=30).runtime_name
            asked += 1
        assert not any(pour.done() for pour in pours)
        output(node, container_id, "touch", "/tmp/enough")
    assert all(len(pour.result().stdout) == ANSWER for pour in pours)


# --- G5: descriptors, working directories, the runtime's own program


def test_g5_container_and_exec_have_three_descriptors(each_node: Node) -> None:
    pod = each_node.run()
    container_id = pod.started(script(f"{LIST_OWN}; exec sleep 1000"))
    wait_program(each_node.client, container_id, "sleep")
    answer = each_node.client.exec_sync(container_id, ["sh", "-c", LIST_OWN])
    assert answer.stdout.split() == [b"0", b"1", b"2"]
    assert output(each_node, container_id, "ls", "/proc/1/fd").split() == ["0", "1", "2"]
    assert heard(each_node.client, container_id, lines=1).split() == ["0", "1", "2"]


@pytest.mark.parametrize("kind", ["terminal", "input"])
def test_g5_container_with_terminal_or_input_has_three_descriptors(
    each_node: Node, kind: str
) -> None:
    def change(config: api_pb2.ContainerConfig) -> None:
        config.tty = kind == "terminal"
        config.stdin = True

    container_id = each_node.run().create_changed(change)
    each_node.client.start(container_id)
    wait_program(each_node.client, container_id, "sleep")
    assert output(each_node, container_id, "ls", "/proc/1/fd").split() == ["0", "1", "2"]


def working_in(path: str) -> Change:
    """Ask for a working directory."""

    def change(config: api_pb2.ContainerConfig) -> None:
        config.working_dir = path

    return change


@pytest.mark.parametrize("number", range(3, 20))
def test_g5_working_directory_below_proc_is_refused(node: Node, number: int) -> None:
    pod = node.run()
    for path in (
        f"/proc/self/fd/{number}",
        f"/proc/self/fd/{number}/../../x",
        f"//proc/./1/cwd{number}",
    ):
        with refused(INVALID, says="working directory"):
            pod.create_changed(working_in(path))


def test_g5_working_directory_of_an_image_below_proc_is_refused(node: Node) -> None:
    settings = replace(SHELL, working_directory="/proc/self/fd/7")
    with made_image(node, settings=settings) as image:
        pod = node.run()
        with refused(INVALID, says="working directory"):
            pod.create_changed(of_image, ContainerShape(image=image))


def test_g5_working_directory_that_links_to_a_descriptor_shows_no_host(each_node: Node) -> None:
    links = [symlink(f"w{number}", f"/proc/self/fd/{number}") for number in range(3, 14)]
    with made_image(each_node, links) as image:
        pod = each_node.run()
        for number in range(3, 14):
            shape = script("ls ../../../../../../../../../../../../etc; ls -la . ..", image)
            try:
                container_id = pod.create_changed(
                    working_in(f"/w{number}"), replace(shape, name=f"c{number}")
                )
                each_node.client.start(container_id)
            except grpc.RpcError:
                continue  # refused by the runtime, which is as good
            text = said(each_node.client, container_id)
            assert "shadow" not in text
            assert "crio" not in text
            assert "cgroup.procs" not in text


def digest(path: Path) -> str:
    """Return the digest of a program."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("kind", ["entrypoint", "interpreter", "exec"])
def test_g5_runtimes_program_cannot_be_changed_by_running_it(each_node: Node, kind: str) -> None:
    programs = {path: digest(path) for path in handler_paths().values()}
    overwrite = 'for p in /proc/[0-9]*/exe; do (echo evil > "$p") 2>/dev/null; done; sleep 0.2'
    entries = [regular("run-me", b"#!/proc/self/exe\n", mode=0o755)]
    with made_image(each_node, entries) as image:
        pod = each_node.run()
        attacker = pod.started(script(f"while :; do {overwrite}; done", image))
        command = {"entrypoint": "/proc/self/exe", "interpreter": "/run-me"}.get(kind)
        try:
            if command:
                shape = ContainerShape(name="second", image=image, command=(command, "--version"))
                each_node.client.wait_exited(pod.started(shape))
            else:
                each_node.client.exec_sync(attacker, ["/proc/self/exe", "--version"], timeout=5)
        except grpc.RpcError:
            pass  # refused by the runtime, which is as good
    assert {path: digest(path) for path in programs} == programs
    assert os.access(next(iter(programs)), os.X_OK)


# --- D7: children get a built environment

DUMP = """#!/bin/sh
env > "{folder}/$(date +%s%N).env"
ls /proc/self/fd > "{folder}/$(date +%s%N).fds"
exec {program} "$@"
"""


@pytest.mark.parametrize("handler", ["crun", "runc"])
def test_d7_runtime_and_plugins_inherit_nothing_of_daemon_or_image(
    session: Session, handler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = session.workspace.folder(f"dumps-{secrets.token_hex(3)}")
    real = handler_paths()[handler]
    monkeypatch.setenv("SECRET_OF_THE_DAEMON", "S3CR3T")
    plugins = folder / "bin"
    plugins.mkdir()
    for name in ("bridge", "host-local", "portmap", "loopback"):
        write_dump(plugins / name, folder, session.network.plugins / name)
    write_dump(folder / handler, folder, real)

    def prepare(daemon: Lading) -> None:
        handlers = daemon.section("runtime")["handlers"]
        assert isinstance(handlers, dict)
        handlers[handler] = {"path": str(folder / handler)}
        daemon.section("runtime")["default_handler"] = handler
        daemon.section("network")["cni_bin_dirs"] = [str(plugins)]

    variables = ("LD_PRELOAD=/evil.so", "PATH=/evil", "OF_THE_IMAGE=1")
    with troubled_node(session, prepare) as node:
        with made_image(node, settings=replace(SHELL, environment=variables)) as image:
            shape = ContainerShape(image=image, command=("/bin/sleep", "1000"))
            container_id = node.run().started(shape)
            node.client.exec_sync(container_id, ["/bin/true"])
            node.client.remove_everything()
    dumps = [path.read_text() for path in folder.glob("*.env")]
    assert any("CNI_COMMAND=ADD" in text for text in dumps)
    assert any("_OCI_SYNCPIPE" in text for text in dumps)
    for text in dumps:
        for word in ("S3CR3T", "SECRET_OF", "LD_PRELOAD", "evil", "OF_THE_IMAGE", "KUBERNETES"):
            assert word not in text


def write_dump(path: Path, folder: Path, program: Path) -> None:
    """Write a program that notes its environment and becomes the real one."""
    path.write_text(DUMP.format(folder=folder, program=program))
    path.chmod(0o755)
