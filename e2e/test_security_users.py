"""Security rules D1, D3 and D4 on real runtimes: who a container is, and with which rights."""

from __future__ import annotations

from dataclasses import replace

import grpc
import pytest

from cri.api import api_pb2
from e2e.images.catalogue import STAGING
from e2e.images.layer import regular
from e2e.kubelet_requests import ContainerShape
from e2e.looking_inside import as_user, of_image, output, script
from e2e.made_images import SHELL, made_image
from e2e.node import Node, heard, refused

INVALID = grpc.StatusCode.INVALID_ARGUMENT
BAD_USERS = (
    "4294967296",
    "2147483648",
    "2147483648:0",
    "0:4294967296",
    "-1",
    "+0",
    "18446744073709551616",
)
NUMBERS_AS_NAMES = b"".join(
    f"{name}:x:0:0::/:/bin/sh\n".encode()
    for name in (*BAD_USERS, "0", "1", "1000")
    if ":" not in name
)


# --- D1: a user of digits is a number up to 2^31-1


@pytest.mark.parametrize("user", BAD_USERS)
def test_d1_user_that_is_no_id_is_refused_and_never_a_name(node: Node, user: str) -> None:
    settings = replace(SHELL, user=user)
    with made_image(node, [regular("etc/passwd", NUMBERS_AS_NAMES)], settings) as image:
        pod = node.run()
        with refused(INVALID, says="user"):
            pod.create_changed(of_image, ContainerShape(image=image))
        assert node.client.containers() == []


@pytest.mark.parametrize("uid", [-1, 2**31, 2**32, 2**63 - 1])
def test_d1_requested_user_above_2_31_is_refused(node: Node, uid: int) -> None:
    pod = node.run()
    with refused(INVALID, says="user"):
        pod.create_changed(as_user(uid))


@pytest.mark.parametrize("user", ["1", "1000", "2147483647"])
def test_d1_number_of_the_image_is_kept_at_run_and_exec(each_node: Node, user: str) -> None:
    settings = replace(SHELL, user=user)
    with made_image(each_node, [regular("etc/passwd", NUMBERS_AS_NAMES)], settings) as image:
        pod = each_node.run()
        container_id = pod.create_changed(of_image, script("id -u; sleep 1000", image))
        each_node.client.start(container_id)
        assert output(each_node, container_id, "id", "-u") == user
        assert heard(each_node.client, container_id, lines=1) == f"{user}\n"
        status = each_node.client.status(container_id)
        assert status.user.linux.uid == int(user)


def test_d1_exec_stays_the_user_it_was_and_a_second_container_has_it_too(each_node: Node) -> None:
    client = each_node.client
    with made_image(each_node, settings=replace(SHELL, user="1000")) as image:
        pod = each_node.run()
        for attempt in (0, 1):
            spec = api_pb2.ImageSpec(image=image)
            status = client.image.ImageStatus(api_pb2.ImageStatusRequest(image=spec), timeout=20)
            assert status.image.uid.value == 1000
            container_id = pod.create_changed(
                of_image, ContainerShape(image=image, attempt=attempt)
            )
            client.start(container_id)
            assert output(each_node, container_id, "id", "-u") == "1000"
            client.stop(container_id)
            client.remove(container_id)
            each_node.restart(crash=True)


# --- D3: the primary group is among the supplementary ones


@pytest.mark.parametrize(
    ("policy", "groups"),
    [(api_pb2.Merge, {"1000", "50000", "1234"}), (api_pb2.Strict, {"1000", "1234"})],
)
def test_d3_groups_are_the_primary_and_those_of_the_policy(
    each_node: Node, policy: api_pb2.SupplementalGroupsPolicy, groups: set[str]
) -> None:
    image = STAGING + "test-image-predefined-group:latest"
    each_node.client.pull(image)

    def change(config: api_pb2.ContainerConfig) -> None:
        of_image(config)
        config.linux.security_context.supplemental_groups.append(1234)
        config.linux.security_context.supplemental_groups_policy = policy

    show = "id -G; grep ^Groups: /proc/self/status"
    container_id = each_node.run().create_changed(change, script(f"{show}; sleep 1000", image))
    each_node.client.start(container_id)
    at_exec = output(each_node, container_id, "sh", "-c", show)
    for text in (at_exec, heard(each_node.client, container_id, lines=2)):
        effective, supplementary = text.splitlines()
        assert set(effective.split()) == groups
        assert set(supplementary.split()[1:]) == groups
    assert set(map(str, each_node.client.status(container_id).user.linux.supplemental_groups)) == (
        groups
    )


# --- D4: inheritable and ambient are what was named


SETS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")


def capabilities(text: str) -> dict[str, int]:
    """Return the sets of a /proc/PID/status."""
    lines = [line.split() for line in text.splitlines() if line.startswith("Cap")]
    return {name.rstrip(":"): int(value, 16) for name, value in lines}


@pytest.mark.parametrize("kind", ["plain", "privileged", "user 1000", "every one added"])
def test_d4_nothing_is_inherited(each_node: Node, kind: str) -> None:
    def privileged_pod(config: api_pb2.PodSandboxConfig) -> None:
        config.linux.security_context.privileged = kind == "privileged"

    def change(config: api_pb2.ContainerConfig) -> None:
        security = config.linux.security_context
        security.privileged = kind == "privileged"
        security.run_as_user.value = 1000 if kind == "user 1000" else 0
        if kind == "every one added":
            security.capabilities.add_capabilities.append("ALL")

    pod = each_node.run(change=privileged_pod)
    container_id = pod.create_changed(change, script("grep ^Cap /proc/self/status; sleep 1000"))
    each_node.client.start(container_id)
    at_exec = output(each_node, container_id, "cat", "/proc/self/status")
    for text in (at_exec, heard(each_node.client, container_id, lines=len(SETS))):
        sets = capabilities(text)
        assert sets["CapInh"] == sets["CapAmb"] == 0
        assert sets["CapBnd"] != 0
        assert (sets["CapEff"] == 0) == (kind == "user 1000")
        assert (sets["CapPrm"] == 0) == (kind == "user 1000")


def test_d4_ambient_and_inheritable_are_what_was_named(each_node: Node) -> None:
    def change(config: api_pb2.ContainerConfig) -> None:
        security = config.linux.security_context
        security.run_as_user.value = 1000
        security.capabilities.add_ambient_capabilities.append("NET_BIND_SERVICE")

    container_id = each_node.run().create_changed(
        change, script("grep ^Cap /proc/self/status; sleep 99")
    )
    each_node.client.start(container_id)
    at_exec = output(each_node, container_id, "cat", "/proc/self/status")
    for text in (at_exec, heard(each_node.client, container_id, lines=len(SETS))):
        sets = capabilities(text)
        assert sets["CapInh"] == sets["CapAmb"] == sets["CapEff"] == 1 << 10


@pytest.mark.parametrize("kind", ["add", "drop", "add_ambient"])
def test_d4_unknown_capability_is_refused(node: Node, kind: str) -> None:
    def change(config: api_pb2.ContainerConfig) -> None:
        sets = config.linux.security_context.capabilities
        getattr(sets, f"{kind}_capabilities").append("BECOME_GOD")

    pod = node.run()
    with refused(INVALID, says="BECOME_GOD"):
        pod.create_changed(change)
