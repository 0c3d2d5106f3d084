"""Containers: the request's config to a record, a record to list items and statuses.

Pure mapping; the image's names come in from outside, because records hold only what was asked for and its id.
"""

from cri.api import api_pb2
from cri.translate.resources import linux_resources, resources_message
from cri.translate.security import container_security, id_mapping_message, id_mappings
from cri.translate.stop_signal import signal_name, signal_value
from runtime.errors import InvalidArgument
from runtime.records.container import (
    ContainerConfig,
    ContainerMetadata,
    ContainerRecord,
    ContainerState,
    Device,
    Mount,
    MountPropagation,
)

STATES = {
    ContainerState.CREATED: api_pb2.CONTAINER_CREATED,
    ContainerState.RUNNING: api_pb2.CONTAINER_RUNNING,
    ContainerState.EXITED: api_pb2.CONTAINER_EXITED,
    ContainerState.UNKNOWN: api_pb2.CONTAINER_UNKNOWN,
}

_PROPAGATIONS = {
    api_pb2.PROPAGATION_PRIVATE: MountPropagation.PRIVATE,
    api_pb2.PROPAGATION_HOST_TO_CONTAINER: MountPropagation.HOST_TO_CONTAINER,
    api_pb2.PROPAGATION_BIDIRECTIONAL: MountPropagation.BIDIRECTIONAL,
}
_CRI_PROPAGATIONS = {propagation: number for number, propagation in _PROPAGATIONS.items()}


def container_config(message: api_pb2.ContainerConfig) -> ContainerConfig:
    """Translate a container's config.

    Raises:
        InvalidArgument: name or image is missing, or a value is none that CRI v0.37 has.
    """
    _require(message)
    return ContainerConfig(
        metadata=ContainerMetadata(name=message.metadata.name, attempt=message.metadata.attempt),
        image=message.image.image,
        user_specified_image=message.image.user_specified_image,
        command=tuple(message.command),
        args=tuple(message.args),
        working_dir=message.working_dir,
        envs=tuple(map(_environment_entry, message.envs)),
        mounts=tuple(map(_mount, message.mounts)),
        devices=tuple(map(_device, message.devices)),
        cdi_devices=tuple(device.name for device in message.CDI_devices),
        labels=tuple(sorted(message.labels.items())),
        annotations=tuple(sorted(message.annotations.items())),
        log_path=message.log_path,
        stdin=message.stdin,
        stdin_once=message.stdin_once,
        tty=message.tty,
        stop_signal=signal_name(message.stop_signal),
        resources=linux_resources(message.linux.resources),
        security=container_security(message.linux.security_context),
    )


def container_item(record: ContainerRecord) -> api_pb2.Container:
    """Return the container as lists show it: the image as asked for, and its id."""
    return api_pb2.Container(
        id=record.id,
        pod_sandbox_id=record.sandbox_id,
        metadata=metadata_message(record.config.metadata),
        image=_image_spec(record, record.config.image),
        image_ref=record.image_id,
        state=STATES[record.state],
        created_at=record.created_at_ns,
        labels=dict(record.config.labels),
        annotations=dict(record.config.annotations),
        image_id=record.image_id,
    )


def container_status(
    record: ContainerRecord, *, image_name: str, image_ref: str
) -> api_pb2.ContainerStatus:
    """Return the container as ContainerStatus shows it.

    End time, exit code, reason and message are told only once it has ended.
    """
    message = api_pb2.ContainerStatus(
        id=record.id,
        metadata=metadata_message(record.config.metadata),
        state=STATES[record.state],
        created_at=record.created_at_ns,
        started_at=record.started_at_ns,
        image=_image_spec(record, image_name),
        image_ref=image_ref,
        labels=dict(record.config.labels),
        annotations=dict(record.config.annotations),
        mounts=[mount_message(mount) for mount in record.config.mounts],
        log_path=record.log_path,
        resources=api_pb2.ContainerResources(linux=resources_message(record.resources)),
        image_id=record.image_id,
        user=_user(record),
        stop_signal=signal_value(record.stop_signal),
    )
    if record.state is ContainerState.EXITED:
        message.finished_at = record.finished_at_ns
        message.exit_code = record.exit_code
        message.reason = record.reason
        message.message = record.message
    return message


def metadata_message(metadata: ContainerMetadata) -> api_pb2.ContainerMetadata:
    """Return a container's name and attempt."""
    return api_pb2.ContainerMetadata(name=metadata.name, attempt=metadata.attempt)


def mount_message(mount: Mount) -> api_pb2.Mount:
    """Return a mount exactly as it was asked for."""
    return api_pb2.Mount(
        container_path=mount.container_path,
        host_path=mount.host_path,
        readonly=mount.readonly,
        recursive_read_only=mount.recursive_read_only,
        selinux_relabel=mount.selinux_relabel,
        propagation=_CRI_PROPAGATIONS[mount.propagation],
        uidMappings=map(id_mapping_message, mount.uid_mappings),
        gidMappings=map(id_mapping_message, mount.gid_mappings),
        image=api_pb2.ImageSpec(image=mount.image) if mount.image else None,
        image_sub_path=mount.image_sub_path,
        mount_options=mount.mount_options,
    )


def _require(message: api_pb2.ContainerConfig) -> None:
    if not message.metadata.name:
        raise InvalidArgument(
            "container config",
            "lacks metadata.name",
            remedy="give the container a name",
            reason="MetadataMissing",
        )
    if not message.image.image:
        raise InvalidArgument(
            f"container {message.metadata.name}",
            "names no image",
            remedy="set image.image to a local image",
            reason="ImageMissing",
        )


def _environment_entry(message: api_pb2.KeyValue) -> tuple[str, str]:
    # CRI made values bytes in v0.37; the OCI spec is JSON, which holds text alone.
    try:
        return message.key, message.value.decode()
    except UnicodeDecodeError as error:
        raise InvalidArgument(
            f"environment variable {message.key[:100]}",
            "has a value that is not UTF-8",
            remedy="encode the value, for example in base64",
            reason="BadEnvironment",
        ) from error


def _mount(message: api_pb2.Mount) -> Mount:
    propagation = _PROPAGATIONS.get(message.propagation)
    if propagation is None:
        raise InvalidArgument(
            f"mount {message.container_path[:200]}",
            f"has the propagation {message.propagation}, which this version does not know",
            reason="UnknownValue",
        )
    return Mount(
        container_path=message.container_path,
        host_path=message.host_path,
        readonly=message.readonly,
        recursive_read_only=message.recursive_read_only,
        selinux_relabel=message.selinux_relabel,
        propagation=propagation,
        uid_mappings=id_mappings(message.uidMappings),
        gid_mappings=id_mappings(message.gidMappings),
        image=message.image.image,
        image_sub_path=message.image_sub_path,
        mount_options=tuple(message.mount_options),
    )


def _device(message: api_pb2.Device) -> Device:
    return Device(
        host_path=message.host_path,
        container_path=message.container_path or message.host_path,
        permissions=message.permissions or "rwm",
    )


def _image_spec(record: ContainerRecord, name: str) -> api_pb2.ImageSpec:
    return api_pb2.ImageSpec(image=name, user_specified_image=record.config.user_specified_image)


def _user(record: ContainerRecord) -> api_pb2.ContainerUser:
    user = record.user
    linux = api_pb2.LinuxContainerUser(uid=user.uid, gid=user.gid, supplemental_groups=user.groups)
    return api_pb2.ContainerUser(linux=linux)
