"""Annotations: ours, and those that the handler lists by exact name."""

from dataclasses import replace

from runtime.spec.annotations import annotation_options, container_annotations, with_annotations
from runtime.spec.document import apply
from runtime.spec.request import HandlerSettings
from runtime.tests.spec.samples import CONTAINER, POD, plain_request

BAD = (
    ("org.systemd.property.X", "1"),
    ("run.oci.hooks.stderr", "/x"),
    ("run.oci.handler", "krun"),
    ("io.kubernetes.cri.sandbox-name", "other"),
)


def test_annotations_of_pod_and_container_do_not_reach_the_runtime() -> None:
    request = plain_request(replace(CONTAINER, annotations=BAD), replace(POD, annotations=BAD))
    found = container_annotations(request)
    assert found == {
        "io.kubernetes.cri.container-name": "app",
        "io.kubernetes.cri.container-type": "container",
        "io.kubernetes.cri.image-name": "busybox",
        "io.kubernetes.cri.sandbox-id": "b" * 64,
        "io.kubernetes.cri.sandbox-name": "web",
        "io.kubernetes.cri.sandbox-namespace": "default",
        "io.kubernetes.cri.sandbox-uid": "u1",
    }


def test_listed_name_passes_and_the_containers_wins_but_never_over_ours() -> None:
    request = replace(
        plain_request(
            replace(CONTAINER, annotations=(("a.b", "container"), *BAD)),
            replace(POD, annotations=(("a.b", "pod"), ("a.bc", "x"))),
        ),
        handler=HandlerSettings(
            allowed_annotations=("a.b", "io.kubernetes.cri.sandbox-name"),
            default_annotations=(("d", "handler"), ("a.b", "default")),
        ),
        image_name="docker.io/library/busybox:1",
    )
    found = container_annotations(request)
    assert found["a.b"] == "container"
    assert found["d"] == "handler"
    assert "a.bc" not in found
    assert found["io.kubernetes.cri.sandbox-name"] == "web"
    assert found["io.kubernetes.cri.image-name"] == "docker.io/library/busybox:1"
    assert apply({}, *annotation_options(request)) == {"annotations": found}


def test_option_keeps_other_annotations() -> None:
    assert with_annotations((("b", "2"),))({"annotations": {"a": "1"}}) == {
        "annotations": {"a": "1", "b": "2"}
    }
