"""The table of the ImageService."""

from cri.image_service.parts import ImageParts
from cri.image_service.service import image_methods
from cri.tests.image_service.conftest import FakePuller, FakeStore


async def nothing() -> None:
    return None


def test_every_method_is_answered() -> None:
    store = FakeStore()
    parts = ImageParts(
        store=store,
        puller=FakePuller(store),
        container_filesystem=nothing,
        handlers=frozenset(),
    )
    assert image_methods(parts).missing() == ()
