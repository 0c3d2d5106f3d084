"""Security rules E4 and E5 on real runtimes: /dev, /proc and /sys are always fresh, and texts have limits."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from cri.api import api_pb2
from e2e.daemon import Lading
from e2e.images.layer import Entry, directory, regular, symlink
from e2e.kubelet_requests import ContainerShape, pod_config
from e2e.looking_inside import output
from e2e.made_images import made_image
from e2e.node import Node, refused, wait_program

INVALID = grpc.StatusCode.INVALID_ARGUMENT
UP = "../" * 40
KINDS = ("plain", "terminal", "read-only root", "privileged")


@pytest.fixture
def victim(node: Node) -> Iterator[Path]:
    """Give an empty directory of the host that must stay so."""
    place = node.session.workspace.folder(f"victim-{secrets.token_hex(3)}")
    yield place
    assert list(place.iterdir()) == []


def image_entries(victim: Path) -> dict[str, list[Entry]]:
    """Return images that put something else where the kernel's file systems go."""
    away = [Entry(path=f".wh.{name}") for name in ("dev", "proc", "sys")]
    inside = [
        symlink(f"dev/{name}", f"{UP}{victim}/{name.replace('/', '-')}")
        for name in ("null", "pts", "ptmx", "console", "shm", "mqueue", "fd", "stdin")
    ]
    return {
        "absolute": [*away, *(symlink(name, str(victim)) for name in ("dev", "proc", "sys"))],
        "climbing": [
            *away,
            symlink("dev", "../victim"),
            symlink("proc", "/x"),
            symlink("sys", f"{UP}{victim}"),
            directory("x"),
        ],
        "to each other": [
            *away,
            symlink("dev", "/proc"),
            symlink("proc", "/sys"),
            symlink("sys", "dev"),
        ],
        "files": [*away, *(regular(name, b"no directory") for name in ("dev", "proc", "sys"))],
        "links inside": [
            *inside,
            symlink("proc/self", str(victim)),
            symlink("sys/fs", str(victim)),
        ],
    }


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "image", ["absolute", "climbing", "to each other", "files", "links inside"]
)
def test_e4_kernel_file_systems_are_fresh_whatever_the_image_has(
    each_node: Node, victim: Path, image: str, kind: str
) -> None:
    def change(config: api_pb2.ContainerConfig) -> None:
        config.tty = kind == "terminal"
        security = config.linux.security_context
        security.readonly_rootfs = kind == "read-only root"
        security.privileged = kind == "privileged"

    def of_pod(config: api_pb2.PodSandboxConfig) -> None:
        config.linux.security_context.privileged = kind == "privileged"

    with made_image(each_node, image_entries(victim)[image]) as name:
        pod = each_node.run(change=of_pod)
        container_id = pod.create_changed(change, ContainerShape(image=name))
        each_node.client.start(container_id)
        wait_program(each_node.client, container_id, "sleep")
        mounts = output(each_node, container_id, "cat", "/proc/self/mountinfo").splitlines()
        kinds = {line.split()[4]: line.split(" - ")[1].split()[0] for line in mounts}
        assert kinds["/proc"] == "proc"
        assert kinds["/dev"] == "tmpfs"
        assert kinds["/dev/pts"] == "devpts"
        assert kinds["/sys"] == "sysfs"
        show = "echo x > /dev/null; ls -ld /dev /proc /sys /dev/pts; ls /dev; cat /proc/1/comm"
        text = output(each_node, container_id, "sh", "-c", show)
        assert str(victim) not in text
        assert "sleep" in text
        assert_only_special_files_changed(each_node, container_id)


def assert_only_special_files_changed(node: Node, container_id: str) -> None:
    """Nothing in the bundle or beside it is named as the image wanted."""
    assert isinstance(node.daemon, Lading)
    bundles = node.daemon.state / "containers"
    assert not (bundles / "victim").exists()
    assert not (bundles / container_id / "victim").exists()


# --- E5: texts have at most 4095 bytes and no NUL

LONG = "/" + "x" * 70_000
NUL = "/a\0b"


@pytest.mark.parametrize("text", [LONG, NUL], ids=["long", "NUL"])
@pytest.mark.parametrize("field", ["host_path", "container_path"])
def test_e5_long_mount_is_refused_before_the_runtime(node: Node, field: str, text: str) -> None:
    mount = api_pb2.Mount(host_path="/tmp", container_path="/data")
    setattr(mount, field, text)
    pod = node.run()
    with refused(INVALID):
        pod.create(ContainerShape(mounts=(mount,)))
    assert node.client.containers() == []


@pytest.mark.parametrize("text", [LONG, NUL], ids=["long", "NUL"])
@pytest.mark.parametrize("field", ["working_dir", "log_path", "image"])
def test_e5_long_text_of_a_container_is_refused(node: Node, field: str, text: str) -> None:
    def change(config: api_pb2.ContainerConfig) -> None:
        if field == "image":
            config.image.image = text
        else:
            setattr(config, field, text if field == "working_dir" else text.strip("/"))

    pod = node.run()
    with refused(INVALID, grpc.StatusCode.NOT_FOUND):
        pod.create_changed(change)


@pytest.mark.parametrize("field", ["masked_paths", "readonly_paths"])
def test_e5_long_security_path_is_refused(node: Node, field: str) -> None:
    def change(config: api_pb2.ContainerConfig) -> None:
        getattr(config.linux.security_context, field).append(LONG)

    pod = node.run()
    with refused(INVALID):
        pod.create_changed(change)


def test_e5_too_many_mounts_are_refused(node: Node) -> None:
    mounts = tuple(
        api_pb2.Mount(host_path="/tmp", container_path=f"/data/{number}") for number in range(5000)
    )
    pod = node.run()
    with refused(INVALID, says="mounts"):
        pod.create(ContainerShape(mounts=mounts))


@pytest.mark.parametrize("text", [LONG, NUL], ids=["long", "NUL"])
@pytest.mark.parametrize("field", ["log_directory", "hostname", "cgroup_parent"])
def test_e5_long_text_of_a_pod_is_refused(node: Node, field: str, text: str) -> None:
    config = pod_config(node.shape())
    setattr(config.linux if field == "cgroup_parent" else config, field, text)
    with refused(INVALID):
        node.client.run_pod(config)
    assert node.client.pods() == []
