"""What cannot be run is told with its name and what to do about it, by every OCI runtime alike."""

from __future__ import annotations

import secrets
from pathlib import Path

import grpc
import pytest

from cri.api import api_pb2
from e2e.kubelet_requests import ContainerShape, container_config
from e2e.node import Node, refused

FILES = {
    "crlf": (b"#!/bin/sh\r\necho hi\r\n", 0o755),
    "plain": (b"text", 0o644),
    "garbage": (b"no program\0\1", 0o755),
}


def shape_with_files(node: Node, *command: str) -> ContainerShape:
    """Return a container that sees the files at /files and runs a command."""
    folder: Path = node.session.workspace.folder("programs-" + secrets.token_hex(3))
    for name, (content, mode) in FILES.items():
        (folder / name).write_bytes(content)
        (folder / name).chmod(mode)
    mount = api_pb2.Mount(container_path="/files", host_path=str(folder), readonly=True)
    return ContainerShape(command=command, mounts=(mount,))


@pytest.mark.parametrize(
    ("program", "cause"),
    [
        ("/no/such", "program /no/such is not in the container's root filesystem; check command"),
        ("no-such", "program no-such is not in the container's root filesystem; check command"),
        ("/files/plain", "program /files/plain is a directory or has no execute permission; check"),
        ("/files", "program /files is a directory or has no execute permission; check"),
    ],
)
def test_program_that_cannot_be_run_is_named(each_node: Node, program: str, cause: str) -> None:
    pod = each_node.run()
    with refused(grpc.StatusCode.INVALID_ARGUMENT, says=cause):
        pod.started(shape_with_files(each_node, program))


@pytest.mark.parametrize(
    ("program", "cause", "remedy"),
    [
        ("/files/crlf", "program /files/crlf exists but the interpreter", 'end without "\\r"'),
        ("/files/garbage", "program /files/garbage is no executable", "another architecture"),
    ],
)
def test_program_that_the_kernel_refuses_is_told_in_the_status(
    each_node: Node, program: str, cause: str, remedy: str
) -> None:
    pod = each_node.run()
    container_id = pod.started(shape_with_files(each_node, program))
    status = each_node.client.wait_exited(container_id)
    assert (status.exit_code != 0, status.reason) == (True, "Error")
    assert status.message.startswith(cause)
    assert remedy in status.message


def test_program_that_merely_says_so_is_not_believed(each_node: Node) -> None:
    script = "echo 'exec /bin/x: exec format error' >&2; echo more >&2; exit 1"
    container_id = each_node.run().shell(script)
    assert each_node.client.wait_exited(container_id).message == ""


def test_file_as_working_directory_is_named(each_node: Node) -> None:
    pod = each_node.run()
    config = container_config(pod.shape, ContainerShape())
    config.working_dir = "/etc/passwd"
    says = "the working directory /etc/passwd cannot be entered or made; check the container's"
    with refused(grpc.StatusCode.INVALID_ARGUMENT, says=says):
        each_node.client.create(pod.id, config, pod.config)


def test_mount_below_a_file_is_told_as_a_mount(each_node: Node) -> None:
    pod = each_node.run()
    mount = api_pb2.Mount(container_path="/etc/passwd/below", host_path="/etc")
    with refused(grpc.StatusCode.INTERNAL, says="a mount of the container failed"):
        pod.create(ContainerShape(mounts=(mount,)))


def test_unknown_mount_option_is_named(each_node: Node) -> None:
    pod = each_node.run()
    mount = api_pb2.Mount(container_path="/o", host_path="/etc", mount_options=["bogus"])
    with refused(grpc.StatusCode.INVALID_ARGUMENT, says="unknown option 'bogus'; use nodev"):
        pod.create(ContainerShape(mounts=(mount,)))
