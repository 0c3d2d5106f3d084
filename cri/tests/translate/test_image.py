"""Images, credentials and filesystem usage."""

from dataclasses import replace

import pytest

from cri.api import api_pb2
from cri.tests.sample_records import DIGEST_REFERENCE, IMAGE_ID, TAG, image_record
from cri.translate.image import filesystem_usage, image_message, registry_auth
from image.model.records import FilesystemUsage, ImageRecord, RegistryAuth


def with_user(user: str) -> ImageRecord:
    record = image_record()
    return replace(record, config=replace(record.config, user=user))


@pytest.mark.parametrize(
    ("user", "uid", "username"),
    [
        ("", None, ""),
        ("0", 0, ""),
        ("1003:users", 1003, ""),
        ("www-data", None, "www-data"),
        ("www-data:100", None, "www-data"),
        ("2147483647", 2147483647, ""),
        ("4294967296", None, "4294967296"),
        ("-1", None, "-1"),
        ("\u0661", None, "\u0661"),
    ],
)
def test_an_images_user_is_a_number_or_a_name_and_never_both(
    user: str, uid: int | None, username: str
) -> None:
    message = image_message(with_user(user))
    assert (message.uid.value if message.HasField("uid") else None) == uid
    assert message.username == username


def test_an_image_shows_all_its_names_and_nothing_of_the_query() -> None:
    message = image_message(image_record(pinned=True))
    assert (message.id, message.size, message.pinned) == (IMAGE_ID, 4096, True)
    assert list(message.repo_tags) == [TAG]
    assert list(message.repo_digests) == [DIGEST_REFERENCE]
    assert message.spec.image == IMAGE_ID


def test_credentials_arrive_whole() -> None:
    message = api_pb2.AuthConfig(
        username="u",
        password="p",
        auth="a",
        server_address="s",
        identity_token="i",
        registry_token="r",
    )
    assert registry_auth(message) == RegistryAuth(
        username="u",
        password="p",
        auth="a",
        server_address="s",
        identity_token="i",
        registry_token="r",
    )


def test_usage_names_its_filesystem() -> None:
    usage = FilesystemUsage(mountpoint="/var", used_bytes=1, inodes_used=2, timestamp_ns=3)
    message = filesystem_usage(usage)
    assert message.fs_id.mountpoint == "/var"
    assert (message.used_bytes.value, message.inodes_used.value, message.timestamp) == (1, 2, 3)
