"""What a worker asks of layers below fits into frames, and a short answer is asked on."""

from collections.abc import Mapping

import pytest

from image.errors import FailedPrecondition
from image.exchange.below_messages import read_question
from image.host.extraction import Attributes
from image.model.json_document import JsonObject
from image.pulls import below_answers
from image.pulls.below_answers import answer
from image.store.below import Answers, Questions
from image.tests.exchange.test_messages import over_the_wire
from image.worker import below_questions
from image.worker.below_questions import ask_below, batches

SEEN = Answers(
    {
        b"etc": Attributes(mode=0o1750, uid=1, gid=2, mtime_ns=3, xattrs={"user.a": b"\xff\0"}),
        b"caf\xe9": Attributes(),
    },
    frozenset({b"etc/passwd", b"\xff"}),
)


class Door:
    """Answers as the daemon does, over the wire and back."""

    def __init__(self) -> None:
        self.asked = 0

    async def ask(self, question: Mapping[str, object]) -> JsonObject:
        self.asked += 1
        about, paths = read_question(over_the_wire(question))
        return over_the_wire(answer(SEEN, about, paths, clock=lambda: 0.0))


async def ask(questions: Questions, layers: tuple[str, ...] = ("sha256:1",)) -> tuple[Answers, int]:
    door = Door()
    return await ask_below(door, layers, questions), door.asked  # type: ignore[arg-type]


async def test_answers_come_back_as_they_are() -> None:
    questions = Questions((b"etc", b"none", b"caf\xe9", b""), (b"etc/passwd", b"\xff", b"absent"))
    found, asked = await ask(questions)
    assert (dict(found.directories), found.names) == (SEEN.directories, SEEN.names)
    assert asked == 2


async def test_nothing_is_asked_without_layers_or_questions() -> None:
    assert await ask(Questions((b"etc",)), layers=()) == (Answers(), 0)
    assert (await ask(Questions()))[1] == 0


async def test_short_answers_are_asked_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(below_answers, "MAX_ATTRIBUTE_BYTES", 1)
    found, asked = await ask(Questions((b"etc", b"none", b"caf\xe9")))
    assert dict(found.directories) == SEEN.directories
    assert asked == 2


async def test_an_empty_answer_is_no_endless_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    door = Door()
    monkeypatch.setattr(
        door, "ask", lambda _q: _value(over_the_wire({"kind": "below", "names": ""}))
    )
    with pytest.raises(FailedPrecondition, match="answered nothing"):
        await ask_below(door, ("sha256:1",), Questions((), (b"a",)))  # type: ignore[arg-type]


async def _value(message: JsonObject) -> JsonObject:
    return message


def test_batches_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(below_questions, "MAX_PATHS", 2)
    monkeypatch.setattr(below_questions, "MAX_PATH_BYTES", 5)
    paths = [b"a", b"b", b"c", b"123456789", b"d", b"1234", b"e"]
    cut = [list(one) for one in batches(paths)]
    assert cut == [[b"a", b"b"], [b"c"], [b"123456789"], [b"d", b"1234"], [b"e"]]
    assert list(batches([])) == []
