"""Everybody who waits hears the same, and the first outcome stays."""

import pytest

from image.errors import NotFound, Unavailable
from image.exchange.messages import PullEvent
from image.pulls.shared_pull import SharedPull


async def test_events_reach_the_picture_and_all_listeners() -> None:
    shared, heard = SharedPull(), []
    shared.listeners.append(lambda event: heard.append(event.status))
    shared.tell(PullEvent(status="Downloading", layer="a", current=1, total=2))
    assert heard == ["Downloading"]
    assert shared.picture.now().current_bytes == 1


async def test_the_first_failure_is_the_one_that_is_told() -> None:
    shared = SharedPull()
    shared.fail(NotFound("a", "is not here"))
    shared.fail(Unavailable("a", "is away"))
    with pytest.raises(NotFound):
        await shared.result
