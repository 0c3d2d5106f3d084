"""ImageFsInfo."""

from cri.api import api_pb2
from cri.tests.image_service.conftest import Served
from image.model.records import FilesystemUsage


async def test_both_filesystems_are_told_once_containers_were_measured(cri: Served) -> None:
    answer = await cri.image.ImageFsInfo(api_pb2.ImageFsInfoRequest())
    assert answer.image_filesystems[0].fs_id.mountpoint == "/i"
    assert not answer.container_filesystems
    cri.containers.append(
        FilesystemUsage(mountpoint="/i", used_bytes=7, inodes_used=8, timestamp_ns=9)
    )
    answer = await cri.image.ImageFsInfo(api_pb2.ImageFsInfoRequest())
    assert answer.container_filesystems[0].used_bytes.value == 7
