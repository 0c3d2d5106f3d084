"""The parts of the ImageService."""

from cri.image_service.parts import ImageParts
from cri.tests.image_service.conftest import FakePuller, FakeStore
from cri.tests.sample_records import image_record


async def nothing() -> None:
    return None


def test_messages_of_images_are_kept() -> None:
    store = FakeStore()
    parts = ImageParts(
        store=store,
        puller=FakePuller(store),
        container_filesystem=nothing,
        handlers=frozenset(),
    )
    record = image_record()
    assert parts.messages.message(record) is parts.messages.message(record)
