"""A running pull is told, can be cancelled, and is counted when it has ended."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import pytest

from image.errors import Unavailable
from image.pulls.pull_picture import PullOutcome
from image.pulls.puller import Puller, PullSettings
from image.store.image_store import ImageStore
from image.tests.pulls.subprocess_launcher import TaskKeeper


class Never:
    """Starts no worker, however long one waits; hears of ends."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.ended: list[PullOutcome] = []

    async def launch(
        self, argv: Sequence[str], *, env: Mapping[str, str], pass_fds: Sequence[int]
    ) -> NoReturn:
        self.asked.set()
        await asyncio.Event().wait()
        raise AssertionError

    def pull_ended(self, outcome: PullOutcome) -> None:
        self.ended.append(outcome)

    def registry_answered(self, host: str, answer: str) -> None:
        raise AssertionError

    def request_retried(self, reason: str) -> None:
        raise AssertionError


async def test_a_pull_shows_its_callers_and_is_cancelled(tmp_path: Path) -> None:
    store, tasks, never = await ImageStore.open(tmp_path), TaskKeeper(), Never()
    puller = Puller(store, PullSettings(registry_config_path="/x"), never, tasks, observer=never)
    try:
        async with asyncio.TaskGroup() as group:
            first = group.create_task(_refusal(puller, "cri"))
            second = group.create_task(_refusal(puller, "operator"))
            await never.asked.wait()
            (one,) = puller.pulls()
            assert (one.reference, one.callers) == ("a.test/x:1", ("cri", "operator"))
            assert (one.view.phase, len(one.id)) == ("resolving", 8)
            assert not puller.cancel("unknown")
            assert puller.cancel(one.id)
        assert [task.result().reason for task in (first, second)] == ["PullCancelled"] * 2
        await tasks.wait_all()
        assert puller.pulls() == ()
        assert [outcome.reason for outcome in never.ended] == ["Cancelled"]
    finally:
        await puller.close()
        store.close()


async def _refusal(puller: Puller, caller: str) -> Unavailable:
    with pytest.raises(Unavailable) as told:
        await puller.pull("a.test/x:1", caller=caller)
    return told.value
