"""Requests that fail before anything is made for them."""

from dataclasses import replace

import pytest

from runtime.errors import InvalidArgument
from runtime.records.container import ContainerConfig, ContainerMetadata, Mount
from runtime.records.resources import LinuxResources
from runtime.records.sandbox import (
    DnsConfig,
    LinuxSandboxConfig,
    PortMapping,
    SandboxConfig,
    SandboxMetadata,
)
from runtime.records.security import Capabilities, ContainerSecurity
from runtime.spec import validate
from runtime.spec.image_defaults import ImageDefaults
from runtime.tests.spec.samples import ABLE, CONTAINER, HOST, POD, plain_request

BIG = (("k", "v" * (5 * 1024 * 1024)),)
META = POD.metadata


def test_usable_pod_passes() -> None:
    pod = replace(
        POD,
        hostname="web",
        dns=DnsConfig(servers=("1.1.1.1",)),
        log_directory="/var/log/pods/x",
        port_mappings=(
            PortMapping(container_port=80),
            PortMapping(protocol="udp", container_port=53, host_port=53, host_ip="::1"),
        ),
    )
    validate.validate_sandbox(pod, ABLE)
    validate.validate_sandbox(POD, ABLE)


@pytest.mark.parametrize(
    ("pod", "reason"),
    [
        (replace(POD, metadata=replace(META, name="")), "NoName"),
        (replace(POD, metadata=replace(META, uid="")), "NoName"),
        (replace(POD, metadata=replace(META, name="a;b")), "BadCharacter"),
        (replace(POD, metadata=replace(META, namespace="a=b")), "BadCharacter"),
        (replace(POD, metadata=replace(META, uid="a\nb")), "BadCharacter"),
        (replace(POD, metadata=replace(META, name="../x")), "BadCharacter"),
        (replace(POD, metadata=SandboxMetadata(name="a", namespace="", uid="u")), "NoName"),
        (replace(POD, hostname="a b"), "BadHostname"),
        (replace(POD, dns=DnsConfig(searches=("a\nb",))), "BadDnsConfig"),
        (replace(POD, log_directory="logs"), "BadLogDirectory"),
        (replace(POD, log_directory="/a\nb"), "BadCharacter"),
        (replace(POD, annotations=BIG), "AnnotationsTooLarge"),
        (replace(POD, labels=BIG), "AnnotationsTooLarge"),
        (replace(POD, linux=LinuxSandboxConfig(cgroup_parent="/a\0")), "BadCharacter"),
        (replace(POD, linux=LinuxSandboxConfig(sysctls=(("vm.x", "1"),))), "SysctlNotNamespaced"),
        *(
            (replace(POD, port_mappings=(port,)), "BadPort")
            for port in (
                PortMapping(protocol="icmp", container_port=1),
                PortMapping(container_port=65536),
                PortMapping(container_port=1, host_port=-1),
                PortMapping(container_port=1, host_ip="localhost"),
            )
        ),
    ],
)
def test_unusable_pod_is_refused(pod: SandboxConfig, reason: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        validate.validate_sandbox(pod, ABLE)
    assert caught.value.reason == reason
    assert len(str(caught.value)) < 400


def test_usable_container_passes() -> None:
    container = replace(
        CONTAINER,
        envs=(("A", "1\n2"), ("B", "")),
        args=("x" * 10000,),
        log_path="app/0.log",
        stop_signal="SIGUSR1",
        working_dir="/process",
    )
    validate.validate_container(container, POD, ABLE, HOST)
    validate.validate_container(CONTAINER, POD, ABLE, HOST)


@pytest.mark.parametrize(
    ("container", "reason"),
    [
        (replace(CONTAINER, metadata=ContainerMetadata(name="")), "NoName"),
        (replace(CONTAINER, metadata=ContainerMetadata(name="a/b")), "BadCharacter"),
        (replace(CONTAINER, args=("x" * (128 * 1024),)), "TextTooLong"),
        (replace(CONTAINER, command=("a\0",)), "BadCharacter"),
        (replace(CONTAINER, args=("",) * 70000), "TooMany"),
        (replace(CONTAINER, envs=(("", "1"),)), "BadVariable"),
        (replace(CONTAINER, envs=(("A=B", "1"),)), "BadVariable"),
        (replace(CONTAINER, envs=(("A", "\0"),)), "BadCharacter"),
        (replace(CONTAINER, working_dir="/proc/self/fd/7"), "BadWorkingDirectory"),
        (replace(CONTAINER, working_dir="proc"), "BadWorkingDirectory"),
        (replace(CONTAINER, working_dir="/" + "x" * 5000), "TextTooLong"),
        (replace(CONTAINER, log_path="../x"), "BadLogPath"),
        (replace(CONTAINER, log_path="/x"), "BadLogPath"),
        (replace(CONTAINER, log_path="a\nb"), "BadCharacter"),
        (replace(CONTAINER, annotations=BIG), "AnnotationsTooLarge"),
        (replace(CONTAINER, labels=BIG), "AnnotationsTooLarge"),
        (replace(CONTAINER, cdi_devices=("a\0",)), "BadCharacter"),
        (
            replace(CONTAINER, mounts=(Mount(container_path="x", host_path="/h"),)),
            "BadContainerPath",
        ),
        (replace(CONTAINER, resources=LinuxResources(cpu_shares=-1)), "NegativeLimit"),
        (
            replace(
                CONTAINER, security=ContainerSecurity(capabilities=Capabilities(add=("NOPE",)))
            ),
            "UnknownCapability",
        ),
        (replace(CONTAINER, security=ContainerSecurity(privileged=True)), "PrivilegedInPlainPod"),
        (replace(CONTAINER, stop_signal="SIGNOPE"), "UnknownSignal"),
    ],
)
def test_unusable_container_is_refused(container: ContainerConfig, reason: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        validate.validate_container(container, POD, ABLE, HOST)
    assert caught.value.reason == reason
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (ImageDefaults(working_dir="/proc/self/fd/7"), "BadWorkingDirectory"),
        (ImageDefaults(working_dir="a\0"), "BadCharacter"),
        (ImageDefaults(volumes=("/proc",)), "BadVolume"),
        (ImageDefaults(cmd=("x" * (128 * 1024),)), "TextTooLong"),
        (ImageDefaults(env=("A=\0",)), "BadCharacter"),
    ],
)
def test_unusable_image_is_refused(image: ImageDefaults, reason: str) -> None:
    validate.validate_image(ImageDefaults(stop_signal="odd", working_dir="rel"))
    with pytest.raises(InvalidArgument, match=reason):
        validate.validate_image(image)


@pytest.mark.parametrize(
    ("container", "image", "reason"),
    [
        (replace(CONTAINER, command=()), ImageDefaults(), "NoCommand"),
        (replace(CONTAINER, command=("",)), ImageDefaults(), "NoCommand"),
        (CONTAINER, ImageDefaults(working_dir="/proc/1"), "BadWorkingDirectory"),
        (CONTAINER, ImageDefaults(env=("HOME=/\nm::0:0::/:/bin/sh",)), "BadCharacter"),
        (replace(CONTAINER, envs=(("HOME", "/\r"),)), ImageDefaults(), "BadCharacter"),
    ],
)
def test_what_request_and_image_make_together_is_checked(
    container: ContainerConfig, image: ImageDefaults, reason: str
) -> None:
    validate.validate_request(plain_request())
    with pytest.raises(InvalidArgument, match=reason):
        validate.validate_request(replace(plain_request(container), image=image))


def test_request_of_an_image_without_home_passes() -> None:
    request = plain_request()
    validate.validate_request(replace(request, user=replace(request.user, home="")))
