"""Containers keep what their request says, and show it back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cri.api import api_pb2
from cri.tests.sample_records import (
    CONTAINER_ID,
    IMAGE_ID,
    SANDBOX_ID,
    TAG,
    container_config_message,
    container_record,
)
from cri.translate.container import (
    container_config,
    container_item,
    container_status,
    mount_message,
)
from runtime.errors import InvalidArgument
from runtime.records.container import ContainerState, Device, MountPropagation
from runtime.records.resources import LinuxResources
from runtime.records.security import ContainerSecurity

MOUNTS = st.builds(
    api_pb2.Mount,
    container_path=st.text(max_size=5),
    host_path=st.text(max_size=5),
    readonly=st.booleans(),
    recursive_read_only=st.booleans(),
    selinux_relabel=st.booleans(),
    propagation=st.sampled_from(api_pb2.MountPropagation.values()),
    image_sub_path=st.text(max_size=3),
    mount_options=st.lists(st.sampled_from(["noexec", "nodev", "nosuid"]), max_size=2),
    image=st.none() | st.builds(api_pb2.ImageSpec, image=st.text(min_size=1, max_size=3)),
)


@given(MOUNTS)
def test_mounts_are_shown_exactly_as_they_were_asked_for(sent: api_pb2.Mount) -> None:
    message = container_config_message()
    message.mounts.append(sent)
    assert mount_message(container_config(message).mounts[0]) == sent


def test_a_container_without_linux_section_has_the_defaults() -> None:
    config = container_config(container_config_message())
    assert config.security == ContainerSecurity()
    assert config.resources == LinuxResources()
    assert config.stop_signal == ""


def test_every_part_of_the_config_arrives() -> None:
    message = container_config_message()
    message.metadata.attempt = 4
    message.image.user_specified_image = TAG
    message.command.append("sh")
    message.args.extend(["-c", "x"])
    message.working_dir = "/w"
    message.envs.add(key="A", value=b"1=2")
    message.devices.add(host_path="/dev/fuse", container_path="/dev/f", permissions="rw")
    message.devices.add(host_path="/dev/null")
    message.CDI_devices.add(name="v.io/gpu=0")
    message.labels["l"] = "1"
    message.annotations["a"] = "2"
    message.log_path = "app/0.log"
    message.stdin = message.stdin_once = message.tty = True
    message.stop_signal = api_pb2.SIGNAL_SIGUSR1
    message.linux.resources.cpu_shares = 512
    config = container_config(message)
    assert (config.metadata.name, config.metadata.attempt) == ("app", 4)
    assert (config.image, config.user_specified_image) == (IMAGE_ID, TAG)
    assert (config.command, config.args, config.working_dir) == (("sh",), ("-c", "x"), "/w")
    assert config.envs == (("A", "1=2"),)
    assert config.devices == (
        Device(host_path="/dev/fuse", container_path="/dev/f", permissions="rw"),
        Device(host_path="/dev/null", container_path="/dev/null", permissions="rwm"),
    )
    assert config.cdi_devices == ("v.io/gpu=0",)
    assert (config.labels, config.annotations) == ((("l", "1"),), (("a", "2"),))
    assert (config.log_path, config.stop_signal) == ("app/0.log", "SIGUSR1")
    assert (config.stdin, config.stdin_once, config.tty) == (True, True, True)
    assert config.resources.cpu_shares == 512


@pytest.mark.parametrize("part", ["metadata", "image"])
def test_a_container_needs_a_name_and_an_image(part: str) -> None:
    message = container_config_message()
    message.ClearField(part)
    with pytest.raises(InvalidArgument):
        container_config(message)


def test_an_environment_value_that_is_no_text_is_refused_without_being_told() -> None:
    message = container_config_message()
    message.envs.add(key="KEY", value=b"\xffsecret")
    with pytest.raises(InvalidArgument, match="KEY") as refusal:
        container_config(message)
    assert "secret" not in str(refusal.value)


def test_an_unknown_propagation_is_refused() -> None:
    message = container_config_message()
    message.mounts.add(container_path="/c", propagation=9)
    with pytest.raises(InvalidArgument, match="/c"):
        container_config(message)


def test_propagation_words() -> None:
    message = container_config_message()
    message.mounts.add(propagation=api_pb2.PROPAGATION_BIDIRECTIONAL)
    assert container_config(message).mounts[0].propagation is MountPropagation.BIDIRECTIONAL


def test_list_item_has_the_image_id_that_garbage_collection_needs() -> None:
    item = container_item(container_record())
    assert (item.id, item.pod_sandbox_id) == (CONTAINER_ID, SANDBOX_ID)
    assert (item.image_id, item.image_ref, item.image.image) == (IMAGE_ID, IMAGE_ID, IMAGE_ID)
    assert item.state == api_pb2.CONTAINER_RUNNING
    assert dict(item.labels) == {"app": "web"}


def test_a_running_container_tells_no_end() -> None:
    record = container_record(finished_at_ns=5, exit_code=3, reason="Error", message="m")
    status = container_status(record, image_name=TAG, image_ref="ref")
    assert (status.finished_at, status.exit_code, status.reason, status.message) == (0, 0, "", "")
    assert (status.image.image, status.image_ref, status.image_id) == (TAG, "ref", IMAGE_ID)
    assert (status.created_at, status.started_at) == (18, 19)
    assert status.stop_signal == api_pb2.SIGNAL_SIGTERM
    assert status.user.linux == api_pb2.LinuxContainerUser(
        uid=1000, gid=1000, supplemental_groups=[1000, 1234]
    )
    assert status.resources.HasField("linux")


def test_an_ended_container_tells_how_it_ended() -> None:
    record = container_record(
        state=ContainerState.EXITED,
        finished_at_ns=20,
        exit_code=137,
        reason="OOMKilled",
        message="m",
    )
    status = container_status(record, image_name=TAG, image_ref="ref")
    assert status.state == api_pb2.CONTAINER_EXITED
    assert (status.finished_at, status.exit_code) == (20, 137)
    assert (status.reason, status.message) == ("OOMKilled", "m")
