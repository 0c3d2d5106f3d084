"""Security rules H1 to H4 on real runtimes: sockets and directories are root's alone, and a number is never a process."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import grpc
import pytest

from cri.api import api_pb2
from e2e.cni import delete_rules
from e2e.cri_client import answers
from e2e.daemon import Lading
from e2e.impostor import impostor
from e2e.kubelet_requests import ContainerShape, PodShape, pod_cgroup
from e2e.looking_inside import bundle_of, first_pid, privileged_pod
from e2e.node import Node, Pod, refused
from e2e.tool_paths import system_tool

OTHER_USER = 1000
PR_SET_CHILD_SUBREAPER = 36


def daemon_of(node: Node) -> Lading:
    """Return the daemon under test."""
    assert isinstance(node.daemon, Lading)
    return node.daemon


def as_other_user(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a program as a user without rights."""
    change = [str(system_tool("setpriv")), f"--reuid={OTHER_USER}", f"--regid={OTHER_USER}"]
    return subprocess.run(
        [*change, "--clear-groups", *command], capture_output=True, text=True, check=False
    )


def wait_until(reached: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    """Poll until something is true."""
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def is_gone(pid: int) -> bool:
    """Tell whether no process has a number, not even a dead one."""
    return not Path(f"/proc/{pid}").exists()


def has_ended(pid: int) -> bool:
    """Tell whether a process is gone or waits to be collected."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


# --- H1: sockets


def test_h1_no_socket_of_ours_is_abstract(node: Node) -> None:
    pod = node.run(node.with_pid_mode(api_pb2.POD))
    pod.started()
    done = subprocess.run([system_tool("ss"), "-xap"], capture_output=True, text=True, check=True)
    workspace = node.session.workspace
    own = {str(pid) for pid, _ in processes_of(node)}
    for line in done.stdout.splitlines():
        of_ours = workspace.name in line or any(f"pid={pid}," in line for pid in own)
        assert not (of_ours and "@" in line), line


def processes_of(node: Node) -> list[tuple[int, str]]:
    """Return the daemon and what it started, by the workspace in their arguments."""
    found = [(daemon_of(node).process.pid, "daemon")]
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = place.read_bytes().decode(errors="replace")
        except OSError:
            continue
        if node.session.workspace.name in text:
            found.append((int(place.parent.name), text))
    return found


def test_h1_sockets_are_roots_alone(node: Node) -> None:
    node.run().started()
    workspace = node.session.workspace
    sockets = [
        path
        for base in (workspace.memory, workspace.disk)
        for path in sockets_below(base)
        # Of longer ones connect(2) knows nothing; they lie beside these.
        if len(bytes(path)) < 108
    ]
    assert daemon_of(node).socket in sockets
    assert stat.S_IMODE(daemon_of(node).socket.stat().st_mode) == 0o600
    program = (
        "import socket, sys\n"
        "for path in sys.argv[1:]:\n"
        "    try: socket.socket(socket.AF_UNIX).connect(path); print('entered', path)\n"
        "    except PermissionError: print('refused')\n"
    )
    done = as_other_user("/usr/bin/python3", "-c", program, *map(str, sockets))
    assert done.stdout.split() == ["refused"] * len(sockets), done.stdout + done.stderr


def sockets_below(base: Path) -> Iterator[Path]:
    """Yield the sockets of a tree in which files come and go."""
    for folder, _, names in os.walk(base):
        for path in (Path(folder, name) for name in names):
            with suppress(FileNotFoundError):
                if stat.S_ISSOCK(path.lstat().st_mode):
                    yield path


def test_h1_socket_is_never_open_while_it_is_bound(node: Node) -> None:
    daemon = daemon_of(node)
    modes = set()
    daemon.stop()
    assert not daemon.socket.exists()
    daemon.process.start()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            modes.add(stat.S_IMODE(daemon.socket.stat().st_mode))
            with socket.socket(socket.AF_UNIX) as one:
                one.connect(str(daemon.socket))
            break
        except OSError:
            continue
    daemon.process.wait_ready(lambda: answers(daemon.address))
    assert modes == {0o600}


# --- H2: directories


def test_h2_another_user_finds_nothing(node: Node) -> None:
    node.run(node.with_pid_mode(api_pb2.POD)).started()
    for place in (daemon_of(node).root, daemon_of(node).state):
        done = as_other_user(str(system_tool("find")), str(place))
        assert done.stdout.split() in ([], [str(place)])
        assert "denied" in done.stderr


def test_h2_open_directories_are_repaired_at_start(node: Node) -> None:
    daemon = daemon_of(node)
    below = [path for base in (daemon.root, daemon.state) for path in base.iterdir()]
    places = [daemon.root, daemon.state, *(path for path in below if path.is_dir())]
    kept = {path: stat.S_IMODE(path.stat().st_mode) for path in places}
    daemon.stop()
    for path in places:
        path.chmod(0o755)
    daemon.start()
    for path in (daemon.root, daemon.state):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert {path.name for path in places if path.exists() and mode_of(path) != kept[path]} == set()


def mode_of(path: Path) -> int:
    """Return who may do what."""
    return stat.S_IMODE(path.stat().st_mode)


def test_h2_files_beside_the_database_are_roots_alone(node: Node) -> None:
    node.run().started()
    for base in (daemon_of(node).root, daemon_of(node).state):
        for path in base.iterdir():
            assert not stat.S_IMODE(path.lstat().st_mode) & 0o077 or path.name == "empty", path


# --- H3: processes and namespaces


@contextmanager
def collecting_orphans() -> Iterator[None]:
    """Become the parent of what a killed daemon leaves; process 1 of a test machine may collect nothing."""
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        libc.prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def inode(path: Path) -> int:
    """Return what tells a namespace from others."""
    return path.stat().st_ino


def pins(node: Node, pod: Pod) -> Path:
    """Return where a pod's namespaces are pinned."""
    return daemon_of(node).state / "ns" / pod.id


def test_h3_container_has_the_namespaces_that_are_pinned(each_node: Node) -> None:
    pod = each_node.run(each_node.with_pid_mode(api_pb2.POD))
    for number in range(2):
        pid = first_pid(each_node, pod.started(ContainerShape(name=f"c{number}")))
        for name in ("net", "ipc", "uts", "pid"):
            own = inode(Path(f"/proc/{pid}/ns/{name}"))
            assert own == inode(pins(each_node, pod) / name)
            assert own != inode(Path(f"/proc/self/ns/{name}"))


def test_h3_monitor_is_outside_the_pods_cgroup_and_its_death_changes_no_namespace(
    each_node: Node,
) -> None:
    pod = each_node.run()
    container_id = pod.started()
    monitor = int((bundle_of(each_node, container_id) / "monitor.pid").read_text())
    assert f"pod-{pod.shape.name}" not in Path(f"/proc/{monitor}/cgroup").read_text()
    os.kill(monitor, signal.SIGKILL)
    wait_until(lambda: has_ended(monitor), "the monitor lives")
    second = pod.started(ContainerShape(name="second"))
    pid = first_pid(each_node, second)
    assert inode(Path(f"/proc/{pid}/ns/net")) == inode(pins(each_node, pod) / "net")
    each_node.client.wait_exited(container_id)


@pytest.mark.parametrize("name", ["net", "ipc", "uts"])
def test_h3_lost_pin_is_an_error_and_never_the_hosts_namespace(each_node: Node, name: str) -> None:
    pod = each_node.run()
    pin = pins(each_node, pod) / name
    kept = each_node.session.workspace.memory / f"kept-{name}"
    kept.touch()
    subprocess.run(["mount", "--bind", pin, kept], check=True)
    subprocess.run(["umount", "-l", pin], check=True)
    try:
        with refused(*(code for code in grpc.StatusCode if code != grpc.StatusCode.OK)):
            pod.started()
        assert each_node.client.containers() == []
    finally:
        # Without it the bridge plugin would leave its firewall rules at DEL.
        subprocess.run(["mount", "--bind", kept, pin], check=True)
        subprocess.run(["umount", "-l", kept], check=True)
        kept.unlink()


def test_h3_pod_that_lost_its_network_can_be_removed(node: Node) -> None:
    pod = node.run()
    subprocess.run(["umount", "-l", pins(node, pod) / "net"], check=True)
    pod.remove()
    assert node.client.pods() == []
    delete_rules(node.session.network.name)


def test_h3_recycled_number_of_a_container_is_left_alone(each_node: Node) -> None:
    pod = each_node.run()
    container_id = pod.started()
    pid = first_pid(each_node, container_id)
    each_node.daemon.kill()
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: is_gone(pid), "the monitor does not collect its container")
    with impostor(pid):
        each_node.daemon.start()
        assert each_node.client.status(container_id).state == api_pb2.CONTAINER_EXITED
        target = replace_target(container_id)
        with refused(grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.INVALID_ARGUMENT):
            pod.create_changed(target, ContainerShape(name="debug"))
        each_node.client.stop(container_id)
        each_node.client.remove(container_id)
        pod.remove()


def replace_target(container_id: str) -> Callable[[api_pb2.ContainerConfig], None]:
    """Join the processes of another container."""

    def change(config: api_pb2.ContainerConfig) -> None:
        options = config.linux.security_context.namespace_options
        options.pid = api_pb2.TARGET
        options.target_id = container_id

    return change


def test_h3_recycled_number_of_a_pause_process_is_left_alone(each_node: Node) -> None:
    pod = each_node.run(each_node.with_pid_mode(api_pb2.POD))
    pid = pause_of(each_node, pod)
    with collecting_orphans():
        each_node.daemon.kill()
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    with impostor(pid):
        each_node.daemon.start()
        status = each_node.client.pod_status(pod.id)
        assert status.state == api_pb2.SANDBOX_NOTREADY
        with refused(grpc.StatusCode.FAILED_PRECONDITION):
            pod.create()
        pod.remove()


def pause_of(node: Node, pod: Pod) -> int:
    """Return the process that holds a pod's processes' namespace: number 1 in it."""
    wanted = inode(pins(node, pod) / "pid")
    for place in Path("/proc").glob("[0-9]*"):
        try:
            numbers = (place / "status").read_text().partition("NSpid:")[2].partition("\n")[0]
            if inode(place / "ns" / "pid") == wanted and numbers.split()[-1] == "1":
                return int(place.name)
        except OSError:
            continue
    raise AssertionError("no process is in the pinned namespace")


def test_h3_dead_pause_process_ends_the_pod(each_node: Node) -> None:
    pod = each_node.run(each_node.with_pid_mode(api_pb2.POD))
    container_id = pod.started()
    os.kill(pause_of(each_node, pod), signal.SIGKILL)
    each_node.client.wait_exited(container_id)
    wait_until(
        lambda: each_node.client.pod_status(pod.id).state == api_pb2.SANDBOX_NOTREADY,
        "the pod stays ready",
    )
    with refused(grpc.StatusCode.FAILED_PRECONDITION):
        pod.create(ContainerShape(name="late"))


# --- H4: cgroups

MODES: dict[str, dict[str, api_pb2.NamespaceMode]] = {
    "own network": {},
    "network of the host": {"network_mode": api_pb2.NODE},
    "shared processes": {"pid_mode": api_pb2.POD},
    "processes of the host": {"pid_mode": api_pb2.NODE},
    "all of the host": {"network_mode": api_pb2.NODE, "pid_mode": api_pb2.NODE},
}


def shape_of(node: Node, mode: str) -> PodShape:
    """Return a pod with other namespaces."""
    return replace(node.shape(), **MODES[mode])  # type: ignore[arg-type]


@pytest.mark.parametrize("privileged", [False, True], ids=["plain", "privileged"])
@pytest.mark.parametrize("mode", MODES)
def test_h4_container_is_in_its_pods_cgroup_in_each_mode(
    each_node: Node, mode: str, privileged: bool
) -> None:
    shape = shape_of(each_node, mode)
    pod = each_node.run(shape, privileged_pod if privileged else None)

    def change(config: api_pb2.ContainerConfig) -> None:
        config.linux.security_context.privileged = privileged

    container_id = pod.create_changed(change)
    each_node.client.start(container_id)
    pid = first_pid(each_node, container_id)
    lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    places = {line.split(":")[1]: line.split(":", 2)[2] for line in lines}
    limited = {
        name: place
        for name, place in places.items()
        if set(name.split(",")) & {"cpu", "memory", "pids", "devices", "cpuset", "freezer"}
    } or places
    assert limited
    for place in limited.values():
        assert place.startswith(f"{pod_cgroup(shape)}/"), places
        assert container_id in place
