"""Questions get their own answers, in any order, or an error."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from image.errors import FailedPrecondition, Internal, NotFound
from image.exchange.channel import Channel
from image.exchange.messages import error_message
from image.model.json_document import JsonObject
from image.worker.daemon_door import DaemonDoor


class Talk:
    def __init__(self, daemon: Channel, worker: Channel) -> None:
        self.daemon = daemon
        self.worker = worker
        self.door = DaemonDoor(worker, "it")

    async def hear(self) -> dict[str, object]:
        message = await self.daemon.receive()
        assert message is not None
        return dict(message.fields)


@pytest.fixture
async def talk() -> AsyncIterator[Talk]:
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.setblocking(False)
    talk = Talk(await Channel.open(ours), await Channel.open(theirs))
    async with asyncio.timeout(30):
        yield talk
    await talk.daemon.close()
    await talk.worker.close()


async def test_answers_find_their_questions_in_any_order(talk: Talk) -> None:
    async with asyncio.TaskGroup() as group:
        listening = group.create_task(talk.door.listen())
        one = group.create_task(talk.door.ask({"kind": "a"}))
        two = group.create_task(talk.door.ask({"kind": "b"}))
        asked = {str(each["kind"]): each["ask"] for each in (await talk.hear(), await talk.hear())}
        talk.daemon.send({"kind": "nobody asked", "ask": 99})
        for word in ("b", "a"):
            talk.daemon.send({"kind": "x", "ask": asked[word], "word": word})
        assert (await one).text("word") == "a"
        assert (await two).text("word") == "b"
        listening.cancel()


@pytest.mark.parametrize("kind", ["slot", "flight"])
@pytest.mark.parametrize("late", [True, False], ids=["after", "before"])
async def test_what_comes_for_one_who_has_left_goes_back(talk: Talk, kind: str, late: bool) -> None:
    """The asker is cancelled before the answer comes, or after it has come and before it was taken."""
    answer = {"kind": kind, "blob": "b"}
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        listening = group.create_task(talk.door.listen())
        asking = group.create_task(talk.door.ask({"kind": kind}))
        number = (await talk.hear())["ask"]
        if not late:
            talk.door._open[1].set_result(JsonObject(subject="answer", fields=answer))
        asking.cancel()
        await asyncio.wait([asking])
        if late:
            talk.daemon.send({**answer, "ask": number})
        back = await talk.hear()
        assert back["kind"] == f"{kind} done"
        assert back.get("blob", "b") == "b"
        listening.cancel()


async def test_error_of_the_daemon_is_raised(talk: Talk) -> None:
    async with asyncio.TaskGroup() as group:
        listening = group.create_task(talk.door.listen())
        question = group.create_task(_expect(talk, NotFound))
        number = (await talk.hear())["ask"]
        talk.daemon.send({**error_message(NotFound("x", "is gone")), "ask": number})
        await question
        listening.cancel()


async def _expect(talk: Talk, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        await talk.door.ask({"kind": "a"})


async def test_open_and_later_questions_fail_when_the_daemon_leaves(talk: Talk) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(talk.door.listen())
        question = group.create_task(_expect(talk, Internal))
        await talk.hear()
        await talk.daemon.close()
        await question
    await _expect(talk, Internal)


async def test_rate_is_taken_over(talk: Talk) -> None:
    talk.daemon.send({"kind": "rate", "bytes_per_second": 7})
    await talk.daemon.close()
    await talk.door.listen()
    assert talk.door.bytes_per_second == 7


async def test_answer_without_a_number_is_refused(talk: Talk) -> None:
    talk.daemon.send({"kind": "x"})
    with pytest.raises(FailedPrecondition, match="ask"):
        await talk.door.listen()
    talk.door.tell({"kind": "bye"})
    await talk.door.wait_told()
    assert await talk.hear() == {"kind": "bye"}
