"""Registries that lie and layers that attack: the pull fails with a reason, or the image is harmless."""

from __future__ import annotations

import os
import secrets
import tarfile
from pathlib import Path

import grpc
import pytest

from cri.api import api_pb2
from e2e.images.catalogue import shared_layers
from e2e.images.image import PublishedImage, Settings, publish
from e2e.images.layer import Entry, Layer, build_layer, directory, hard_link, regular, symlink
from e2e.kubelet_requests import ContainerShape, container_config
from e2e.lying_registry import FAULTS, REFERENCE, honest_answers, lying_registry, with_fault
from e2e.node import Node, refusal, refused

SECRET = "/etc/lading-e2e-must-not-exist"


@pytest.fixture(scope="session")
def base_layer() -> Layer:
    """Give the busybox layer, built once."""
    return shared_layers().busybox


def image_of(*layers: Layer) -> PublishedImage:
    """Return an image that no test pulled before."""
    mark = build_layer([regular("mark", secrets.token_bytes(8))])
    return publish(Settings(command=("sh",)), [*layers, mark])


def image_files(node: Node) -> set[str]:
    """Return the names of everything in the image store but its database."""
    # By os.walk, which bears that what was removed before is deleted meanwhile.
    paths = (
        Path(folder, name)
        for folder, children, names in os.walk(node.daemon.root)
        for name in (*children, *names)
    )
    return {str(path.relative_to(node.daemon.root)) for path in paths if ".db" not in path.suffix}


@pytest.mark.parametrize("fault", FAULTS)
def test_lie_is_refused_and_leaves_no_file(node: Node, fault: str) -> None:
    before = image_files(node)
    image = image_of()
    answers = with_fault(image, fault)
    with lying_registry(node.session.registry.rules, answers):
        request = api_pb2.PullImageRequest(image=api_pb2.ImageSpec(image=REFERENCE))
        with refused(*(code for code in grpc.StatusCode if code != grpc.StatusCode.INTERNAL)):
            node.client.image.PullImage(request, timeout=120)
    status = node.client.image.ImageStatus(
        api_pb2.ImageStatusRequest(image=api_pb2.ImageSpec(image=REFERENCE)), timeout=20
    )
    assert not status.HasField("image")
    left = {Path(name) for name in image_files(node) - before}
    for name in left:
        # What a download may go on from: true bytes of a blob, however few.
        assert name.parent == Path("images/partial")
        whole = image.blobs[name.name.replace("-", ":")]
        assert whole.startswith((node.daemon.root / name).read_bytes())


def test_honest_image_from_the_same_server_is_pulled(node: Node, base_layer: Layer) -> None:
    image = image_of(base_layer)
    with lying_registry(node.session.registry.rules, honest_answers(image)):
        assert node.client.pull(REFERENCE) == image.config_digest
    remove_image(node, image.config_digest)


def remove_image(node: Node, image_id: str) -> None:
    """Remove an image by its id."""
    spec = api_pb2.ImageSpec(image=image_id)
    node.client.image.RemoveImage(api_pb2.RemoveImageRequest(image=spec), timeout=60)


HOSTILE: dict[str, list[Entry]] = {
    "climbing name": [regular("../../../../../.." + SECRET, b"x")],
    "absolute name": [regular(SECRET, b"x")],
    "through a link": [symlink("out", "/etc"), regular("out/lading-e2e-must-not-exist", b"x")],
    "hard link out": [hard_link("passwd", "../../../../../../etc/passwd")],
    "link then hard link": [symlink("a", "/etc/passwd"), hard_link("b", "a")],
    "file over directory": [directory("d"), regular("d/f", b"1"), regular("d", b"2")],
    "whiteout climbs": [regular("x/.wh...", b""), regular(".wh.", b"")],
    "very deep": [directory("/".join(["d"] * 900))],
}


@pytest.mark.parametrize("entries", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_layer_never_reaches_the_host(
    node: Node, base_layer: Layer, entries: list[Entry]
) -> None:
    passwd = Path("/etc/passwd").read_bytes()
    links = Path("/etc/passwd").stat().st_nlink
    image = image_of(base_layer, build_layer(entries))
    with lying_registry(node.session.registry.rules, honest_answers(image)):
        code = refusal(lambda: node.client.pull(REFERENCE))
        assert code != grpc.StatusCode.INTERNAL
        if code is None:
            container_id = node.run().started(ContainerShape(image=REFERENCE))
            assert node.client.exec_sync(container_id, ["true"]).exit_code == 0
            node.client.remove_everything()
            remove_image(node, image.config_digest)
    assert not Path(SECRET).exists()
    assert Path("/etc/passwd").read_bytes() == passwd
    assert Path("/etc/passwd").stat().st_nlink == links


def test_device_in_a_layer_opens_nothing(node: Node, base_layer: Layer) -> None:
    devices = [
        Entry(path="mem", kind=tarfile.CHRTYPE, mode=0o666, device=(1, 1)),
        Entry(path="disk", kind=tarfile.BLKTYPE, mode=0o666, device=(254, 0)),
        Entry(path="pipe", kind=tarfile.FIFOTYPE, mode=0o666),
    ]
    image = image_of(base_layer, build_layer(devices))
    with lying_registry(node.session.registry.rules, honest_answers(image)):
        code = refusal(lambda: node.client.pull(REFERENCE))
    assert code != grpc.StatusCode.INTERNAL
    if code is not None:
        return
    container_id = node.run().started(ContainerShape(image=REFERENCE))
    for name in ("/mem", "/disk"):
        answer = node.client.exec_sync(container_id, ["head", "-c", "1", name])
        assert answer.exit_code != 0
    node.client.remove_everything()
    remove_image(node, image.config_digest)


@pytest.mark.parametrize("user", ["4294967296", "-1", "../root", "a:b:c", "99999999999999999999"])
def test_odd_user_in_the_config_is_refused(node: Node, base_layer: Layer, user: str) -> None:
    settings = Settings(command=("sleep", "9"), user=user, labels={"mark": secrets.token_hex(4)})
    image = publish(settings, [base_layer])
    with lying_registry(node.session.registry.rules, honest_answers(image)):
        node.client.pull(REFERENCE)
    pod = node.run()
    container = container_config(pod.shape, ContainerShape(image=REFERENCE))
    container.linux.security_context.ClearField("run_as_user")

    def create_and_start() -> None:
        node.client.start(node.client.create(pod.id, container, pod.config))

    with refused(
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.NOT_FOUND,
    ):
        create_and_start()
    node.client.remove_everything()
    remove_image(node, image.config_digest)
