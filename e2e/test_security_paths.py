"""Security rules E1 to E3 and E6 on real runtimes: no path of an image, a pod or a running container leads to the host."""

from __future__ import annotations

import ctypes
import os
import secrets
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import grpc
import pytest

from cri.api import api_pb2
from e2e.cri_client import DEADLINE
from e2e.images.layer import Entry, directory, regular, symlink
from e2e.kubelet_requests import ContainerShape, container_config
from e2e.looking_inside import Change, first_pid, of_image, output, read_only, script
from e2e.made_images import SHELL, made_image
from e2e.node import Node, refusal, refused, said

INVALID = grpc.StatusCode.INVALID_ARGUMENT
PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION
UP = "../" * 40
MARK = b"of the image\n"


@pytest.fixture
def victim(node: Node) -> Iterator[Path]:
    """Give a directory of the host that nothing may reach; it must be as it was afterwards."""
    place = node.session.workspace.folder(f"victim-{secrets.token_hex(3)}")
    (place / "file").write_text("precious")
    (place / "etc").mkdir()
    (place / "etc" / "passwd").write_text("victim:x:0:0::/:/bin/sh\n")
    mode = place.stat().st_mode
    before = seen_below(place)
    yield place
    assert seen_below(place) == before
    assert place.stat().st_mode == mode


def seen_below(place: Path) -> dict[str, tuple[int, bytes]]:
    """Return names, modes and contents below a directory."""
    return {
        str(path.relative_to(place)): (
            path.lstat().st_mode,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in place.rglob("*")
    }


@contextmanager
def started_or_refused(
    node: Node, shape: ContainerShape, change: Change = of_image
) -> Iterator[str]:
    """Create and start a container; give its id, empty when daemon or runtime refused it in words."""
    pod = node.run()
    container_id = ""
    try:
        container_id = pod.create_changed(change, shape)
        node.client.start(container_id)
    except grpc.RpcError as error:
        container_id = ""
        text = error.details()
    else:
        text = "it runs"
    assert text
    yield container_id


# --- E1: VOLUMEs of an image


@pytest.mark.parametrize("volume", ["/../../etc", "/l", "/l/../l", "/absent"])
@pytest.mark.parametrize("kind", ["writable", "read-only"])
def test_e1_volume_shows_files_of_the_image_only(each_node: Node, volume: str, kind: str) -> None:
    entries = [regular("etc/mark", MARK), symlink("l", "/etc")]
    settings = replace(SHELL, volumes=(volume,))
    place = volume if volume != "/../../etc" else "/etc"
    with made_image(each_node, entries, settings) as image:
        container_id = each_node.run().create_changed(
            read_only if kind == "read-only" else of_image,
            script("sleep 1000", image),
        )
        each_node.client.start(container_id)
        names = output(each_node, container_id, "ls", f"{place}/").split()
        assert ("mark" in names) == (volume != "/absent")
        assert "shadow" not in names
        output(each_node, container_id, "touch", f"{place}/written")
        assert not Path("/etc/written").exists()
        assert not Path("/absent").exists()


@pytest.mark.parametrize("volume", ["/", "/proc", "/proc/sys", "/sys", "/dev", "/a/../proc"])
def test_e1_volume_over_the_kernels_files_is_refused(node: Node, volume: str) -> None:
    with made_image(node, settings=replace(SHELL, volumes=(volume,))) as image:
        pod = node.run()
        with refused(INVALID, says="VOLUME"):
            pod.create(ContainerShape(image=image))


@pytest.mark.parametrize("volume", ["/p", "/p/absent", "/d", "/r", "/s/kernel"])
@pytest.mark.parametrize("kind", ["writable", "read-only"])
def test_e1_volume_that_links_to_the_kernels_files_is_refused(
    node: Node, volume: str, kind: str
) -> None:
    entries = [symlink("p", "/proc"), symlink("d", "x/../../dev"), symlink("r", "/")]
    entries += [symlink("s", "sys"), directory("x")]
    with made_image(node, entries, replace(SHELL, volumes=(volume,))) as image:
        pod = node.run()
        with refused(INVALID, says="VOLUME"):
            pod.create_changed(
                read_only if kind == "read-only" else of_image, ContainerShape(image=image)
            )


# --- E2: files of an image that the daemon or the runtime opens

ODD_PASSWD: dict[str, list[Entry]] = {
    "FIFO": [Entry(path="etc/passwd", kind=tarfile.FIFOTYPE, mode=0o666)],
    "zeros": [Entry(path="etc/passwd", kind=tarfile.CHRTYPE, mode=0o666, device=(1, 5))],
    "disk": [Entry(path="etc/passwd", kind=tarfile.BLKTYPE, mode=0o666, device=(254, 0))],
    "directory": [Entry(path="etc/.wh.passwd"), directory("etc/passwd/x")],
    "link to a FIFO": [
        Entry(path="pipe", kind=tarfile.FIFOTYPE, mode=0o666),
        symlink("etc/passwd", "/pipe"),
    ],
    "circle": [symlink("etc/passwd", "/etc/group"), symlink("etc/group", "/etc/passwd")],
}


@pytest.mark.parametrize("entries", ODD_PASSWD.values(), ids=ODD_PASSWD.keys())
def test_e2_passwd_that_is_no_file_is_refused_at_once(node: Node, entries: list[Entry]) -> None:
    with made_image(node, entries, replace(SHELL, user="root")) as image:
        pod = node.run()
        begin = time.monotonic()
        with refused(INVALID, says="etc/"):
            pod.create_changed(of_image, ContainerShape(image=image))
        # Who opens a FIFO or reads a device of zeros waits until the call's own deadline.
        assert time.monotonic() - begin < DEADLINE / 4
        assert node.client.containers() == []


@pytest.mark.parametrize(
    "target", ["HOST/etc/passwd", f"{UP}HOST/etc/passwd", "/proc/1/root/HOST/etc/passwd"]
)
def test_e2_passwd_of_the_host_is_never_looked_up(node: Node, victim: Path, target: str) -> None:
    link = target.replace("HOST", str(victim))
    entries = [Entry(path="etc/.wh.passwd"), symlink("etc/passwd", link)]
    with made_image(node, entries, replace(SHELL, user="victim")) as image:
        pod = node.run()
        with refused(INVALID):
            pod.create_changed(of_image, ContainerShape(image=image))


@pytest.mark.parametrize("target", ["../../host", "{victim}", "{up}{victim}", "/proc/1/root/etc"])
def test_e2_etc_that_links_away_touches_nothing_of_the_host(
    each_node: Node, victim: Path, target: str
) -> None:
    link = target.format(victim=victim, up=UP)
    with made_image(each_node, [Entry(path=".wh.etc"), symlink("etc", link)]) as image:
        with started_or_refused(each_node, ContainerShape(image=image)) as container_id:
            if container_id:
                output(each_node, container_id, "id")
    assert not Path("/host").exists()
    assert not Path("/etc/hosts").is_symlink()


@pytest.mark.parametrize("name", ["mtab", "hosts", "resolv.conf", "hostname"])
def test_e2_file_of_etc_that_links_away_changes_nothing_of_the_host(
    each_node: Node, victim: Path, name: str
) -> None:
    for number, target in enumerate((f"{victim}/{name}", f"{UP}{victim}/file")):
        with made_image(each_node, [symlink(f"etc/{name}", target)]) as image:
            shape = ContainerShape(name=f"c{number}", image=image)
            with started_or_refused(each_node, shape) as container_id:
                if container_id:
                    output(each_node, container_id, "cat", "/etc/hostname")


@pytest.mark.parametrize("target", ["{victim}/new", "{up}{victim}/new", "/proc/1/root{victim}/new"])
def test_e2_working_directory_behind_a_link_is_made_in_the_image(
    each_node: Node, victim: Path, target: str
) -> None:
    link = target.format(victim=victim, up=UP)
    settings = replace(SHELL, working_directory="/w/deeper")
    with made_image(each_node, [symlink("w", link)], settings) as image:
        with started_or_refused(each_node, script("pwd; touch here; sleep 99", image)) as made:
            if made:
                assert output(each_node, made, "pwd").endswith("/new/deeper")


def test_e2_mount_below_a_link_of_the_image_stays_in_the_container(
    each_node: Node, victim: Path
) -> None:
    source = each_node.session.workspace.folder("e2-source")
    for link in (str(victim), f"{UP}{victim}"):
        mount = api_pb2.Mount(host_path=str(source), container_path="/data/inner/deep")
        with made_image(each_node, [symlink("data", link)]) as image:
            shape = ContainerShape(image=image, mounts=(mount,))
            with started_or_refused(each_node, shape) as container_id:
                if container_id:
                    output(each_node, container_id, "touch", "/data/inner/deep/file")
                    assert (source / "file").exists()


def test_e2_absolute_links_of_an_image_work(each_node: Node) -> None:
    entries = [
        Entry(path=".wh.etc"),
        symlink("etc", "/real/etc"),
        regular("real/etc/passwd", b"app:x:77:78::/srv:/bin/sh\n"),
        regular("real/etc/group", b"more:x:79:app\n"),
        symlink("w", "/srv"),
        directory("srv"),
    ]
    settings = replace(SHELL, user="app", working_directory="/w")
    with made_image(each_node, entries, settings) as image:
        container_id = each_node.run().create_changed(of_image, script("id; pwd -P", image))
        each_node.client.start(container_id)
        text = said(each_node.client, container_id)
    assert "uid=77" in text
    assert "gid=78" in text
    assert "79" in text
    assert text.splitlines()[1] == "/srv"


# --- E3: what is swapped while it is looked at


@contextmanager
def swapping(one: Path, other: Path, times: int) -> Iterator[threading.Thread]:
    """Exchange two names as fast as possible, at least `times` times and while the block runs."""
    libc = ctypes.CDLL(None, use_errno=True)
    done = threading.Event()
    failed: list[int] = []

    def work() -> None:
        count = 0
        while count < times or not done.is_set():
            # RENAME_EXCHANGE of renameat2(2): there is no moment without one of the two.
            if libc.renameat2(-100, bytes(one), -100, bytes(other), 2) != 0:
                failed.append(ctypes.get_errno())
                return
            count += 1

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield thread
    finally:
        done.set()
        thread.join(120)
    assert failed == []


def test_e3_mount_target_swapped_for_a_link_during_create(each_node: Node, victim: Path) -> None:
    shared = each_node.session.workspace.folder(f"shared-{secrets.token_hex(3)}")
    (shared / "sub").mkdir()
    (shared / "link").symlink_to(f"{UP}{victim}")
    inner = each_node.session.workspace.folder("e3-inner")
    mounts = (
        api_pb2.Mount(host_path=str(shared), container_path="/shared"),
        api_pb2.Mount(host_path=str(inner), container_path="/shared/sub/made/here"),
    )
    pod = each_node.run()
    mounted = Path("/proc/self/mountinfo").read_text().count(str(victim))
    with swapping(shared / "sub", shared / "link", 10_000) as thread:
        number = 0
        while thread.is_alive() and number < 40:
            shape = ContainerShape(name=f"c{number}", mounts=mounts)
            code = refusal(lambda wanted=shape: pod.started(wanted))  # type: ignore[misc]
            assert code != grpc.StatusCode.OK
            number += 1
    assert number >= 5
    assert Path("/proc/self/mountinfo").read_text().count(str(victim)) == mounted


def test_e3_stats_of_a_layer_whose_directories_are_swapped(each_node: Node, victim: Path) -> None:
    (victim / "large").write_bytes(bytes(64 << 20))
    try:
        script_text = f"mkdir -p /t/d/e; ln -s {UP}{victim} /t/l; echo ready; sleep 1000"
        container_id = each_node.run().started(script(script_text))
        root = Path(f"/proc/{first_pid(each_node, container_id)}/root/t")
        wait_for((root / "l").is_symlink)
        request = api_pb2.ContainerStatsRequest(container_id=container_id)
        with swapping(root / "d", root / "l", 10_000) as thread:
            asked = 0
            while thread.is_alive() and asked < 300:
                stats = each_node.client.runtime.ContainerStats(request, timeout=20).stats
                assert stats.writable_layer.used_bytes.value < 1 << 20
                each_node.client.image.ImageFsInfo(api_pb2.ImageFsInfoRequest(), timeout=20)
                asked += 1
        assert asked > 10
    finally:
        (victim / "large").unlink()


def wait_for(reached: Callable[[], bool], seconds: float = 60.0) -> None:
    """Poll until something is true."""
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.parametrize("target", ["{victim}", "{up}{victim}", "/proc/1/root{victim}"])
def test_e3_sub_path_of_an_image_volume_stays_in_the_image(
    node: Node, victim: Path, target: str
) -> None:
    link = target.format(victim=victim, up=UP)
    with made_image(node, [symlink("out", link)]) as image:
        pod = node.run()
        mount = api_pb2.Mount(
            image=api_pb2.ImageSpec(image=image),
            container_path="/seen",
            readonly=True,
            image_sub_path="out",
        )
        config = container_config(pod.shape, ContainerShape(mounts=(mount,)))
        with refused(INVALID, PRECONDITION, grpc.StatusCode.NOT_FOUND, says="ImageVolumeMount"):
            node.client.create(pod.id, config, pod.config)


# --- E6: labels of host files


def test_e6_label_of_a_host_file_is_kept(each_node: Node) -> None:
    place = each_node.session.workspace.folder(f"e6-{secrets.token_hex(3)}")
    label = b"system_u:object_r:etc_t:s0\0"
    source = place / "hosts"
    source.write_text("127.0.0.1 localhost\n")
    # Kernels without SELinux store the attribute all the same.
    os.setxattr(source, "security.selinux", label)
    mount = api_pb2.Mount(host_path=str(source), container_path="/etc/hosts")

    def change(config: api_pb2.ContainerConfig) -> None:
        config.linux.security_context.selinux_options.level = "s0:c1,c2"

    container_id = each_node.run().create_changed(change, ContainerShape(mounts=(mount,)))
    each_node.client.start(container_id)
    assert output(each_node, container_id, "cat", "/etc/hosts") == "127.0.0.1 localhost"
    assert os.getxattr(source, "security.selinux") == label
