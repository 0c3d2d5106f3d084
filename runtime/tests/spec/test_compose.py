"""The whole spec: defaults, the handler's base, order of concerns, and inputs that stay as they were."""

import copy
from dataclasses import replace

import pytest

from runtime.errors import InvalidArgument
from runtime.records.resources import LinuxResources
from runtime.records.security import Capabilities, ContainerSecurity, ProfileKind, SecurityProfile
from runtime.spec.compose import container_spec, generate_spec, spec_notes
from runtime.spec.document import Spec, texts_at, value_at
from runtime.spec.image_defaults import ImageDefaults
from runtime.spec.request import HandlerSettings
from runtime.spec.whole_spec import spec_text
from runtime.tests.spec.samples import CONTAINER, HOST, plain_request


def test_plain_container_has_the_default_spec() -> None:
    spec = container_spec(plain_request())
    assert spec["ociVersion"] == "1.0.2"
    assert spec["root"] == {"path": "/run/lading/rootfs", "readonly": False}
    assert value_at(spec, "process", "args") == ["/bin/app"]
    assert value_at(spec, "linux", "maskedPaths") == []
    assert value_at(spec, "linux", "readonlyPaths") == []
    assert value_at(spec, "linux", "seccomp") is None
    assert value_at(spec, "process", "rlimits") is None
    assert "windows" not in spec


def test_base_spec_of_the_handler_replaces_the_default_and_is_not_changed() -> None:
    base: Spec = {"ociVersion": "1.0.2", "hooks": {"poststop": []}, "linux": {"personality": {}}}
    before = copy.deepcopy(base)
    spec = container_spec(replace(plain_request(), handler=HandlerSettings(base_spec=base)))
    assert spec["hooks"] == {"poststop": []}
    assert value_at(spec, "linux", "personality") == {}
    assert texts_at(spec, "process", "args") == ("/bin/app",)
    assert base == before


def test_same_request_gives_the_same_spec() -> None:
    assert spec_text(container_spec(plain_request())) == spec_text(container_spec(plain_request()))


def test_request_without_any_command_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="NoCommand"):
        container_spec(plain_request(replace(CONTAINER, command=())))
    image = ImageDefaults(cmd=("sh",))
    request = replace(plain_request(replace(CONTAINER, command=())), image=image)
    assert texts_at(container_spec(request), "process", "args") == ("sh",)


def test_notes_come_from_all_concerns() -> None:
    container = replace(
        CONTAINER,
        resources=LinuxResources(oom_score_adj=-5, memory_swap_limit_bytes=1),
        security=ContainerSecurity(capabilities=Capabilities(add=("SYS_RESOURCE",))),
    )
    request = replace(plain_request(container), host=replace(HOST, swap_accounting=False))
    assert len(spec_notes(request)) == 3
    assert spec_notes(plain_request()) == ()


def test_windows_is_generated_without_a_linux_section() -> None:
    assert "linux" not in generate_spec("windows")
    with pytest.raises(InvalidArgument):
        generate_spec("plan9")


def test_seccomp_filter_is_made_once_for_equal_containers() -> None:
    security = ContainerSecurity(seccomp=SecurityProfile(kind=ProfileKind.RUNTIME_DEFAULT))
    request = plain_request(replace(CONTAINER, security=security))
    first, second = (value_at(container_spec(request), "linux", "seccomp") for _ in range(2))
    assert first is second
    assert first is not None
