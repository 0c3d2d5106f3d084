"""Images, credentials and filesystem usage between CRI and the image package's records.

Pure mapping. An Image message is made from its record alone, never from the reference it was asked by, so that it is
equal whichever name was used.
"""

from cri.api import api_pb2
from image.model.records import FilesystemUsage, ImageRecord, RegistryAuth

_BIGGEST_UID = 2**31 - 1


def image_message(record: ImageRecord) -> api_pb2.Image:
    """Return an image as lists and ImageStatus show it."""
    message = api_pb2.Image(
        id=record.id,
        repo_tags=record.repo_tags,
        repo_digests=record.repo_digests,
        size=record.disk_bytes or record.size_bytes,
        spec=api_pb2.ImageSpec(image=record.id),
        pinned=record.pinned,
    )
    _set_user(message, record.config.user)
    return message


def registry_auth(message: api_pb2.AuthConfig) -> RegistryAuth:
    """Translate credentials."""
    return RegistryAuth(
        username=message.username,
        password=message.password,
        auth=message.auth,
        server_address=message.server_address,
        identity_token=message.identity_token,
        registry_token=message.registry_token,
    )


def filesystem_usage(usage: FilesystemUsage) -> api_pb2.FilesystemUsage:
    """Return the space that images or containers take."""
    return api_pb2.FilesystemUsage(
        timestamp=usage.timestamp_ns,
        fs_id=api_pb2.FilesystemIdentifier(mountpoint=usage.mountpoint),
        used_bytes=api_pb2.UInt64Value(value=usage.used_bytes),
        inodes_used=api_pb2.UInt64Value(value=usage.inodes_used),
    )


def _set_user(message: api_pb2.Image, user: str) -> None:
    """Set uid or username, never both: the kubelet checks runAsNonRoot by whichever is there."""
    name = user.partition(":")[0]
    if not name:
        return
    # Digits that are no uid stay a name: the kubelet then refuses runAsNonRoot, as it must (security rule D1).
    if name.isdecimal() and name.isascii() and int(name) <= _BIGGEST_UID:
        message.uid.value = int(name)
    else:
        message.username = name
