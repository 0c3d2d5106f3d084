"""What a worker asks of layers below fits into frames, and what the daemon answers is bounded and checked."""

from collections.abc import Mapping
from itertools import count

import pytest

from image.errors import FailedPrecondition
from image.host.extraction import Attributes
from image.model.json_document import JsonObject
from image.store.below import Answers, Questions
from image.tests.worker.test_messages import over_the_wire
from image.worker import below_questions
from image.worker.below_questions import answer, ask_below, batches, read_question

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
    monkeypatch.setattr(below_questions, "MAX_ATTRIBUTE_BYTES", 1)
    found, asked = await ask(Questions((b"etc", b"none", b"caf\xe9")))
    assert dict(found.directories) == SEEN.directories
    assert asked == 2


async def test_an_empty_answer_is_no_endless_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(below_questions, "answer", lambda *_a, **_k: {"names": ""})
    door = Door()
    monkeypatch.setattr(
        door, "ask", lambda _q: _value(over_the_wire({"kind": "below", "names": ""}))
    )
    with pytest.raises(FailedPrecondition, match="answered nothing"):
        await ask_below(door, ("sha256:1",), Questions((), (b"a",)))  # type: ignore[arg-type]


async def _value(message: JsonObject) -> JsonObject:
    return message


@pytest.mark.parametrize("about", ["directories", "names"])
def test_a_slow_disk_gives_a_short_answer(about: str) -> None:
    ticks = count(0.0, below_questions.ANSWER_SECONDS * 0.6)
    found = answer(SEEN, about, [b"a", b"b", b"c"], clock=lambda: next(ticks))[about]
    assert isinstance(found, list | str)
    assert len(found) == 2


def test_batches_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(below_questions, "MAX_PATHS", 2)
    monkeypatch.setattr(below_questions, "MAX_PATH_BYTES", 5)
    paths = [b"a", b"b", b"c", b"123456789", b"d", b"1234", b"e"]
    cut = [list(one) for one in batches(paths)]
    assert cut == [[b"a", b"b"], [b"c"], [b"123456789"], [b"d", b"1234"], [b"e"]]
    assert list(batches([])) == []


@pytest.mark.parametrize(
    "question",
    [
        {"about": "secrets", "paths": ["a"]},
        {"about": "names", "paths": ["../a"]},
        {"about": "names", "paths": ["/a"]},
        {"about": "names", "paths": ["a//b"]},
        {"about": "names", "paths": ["a/."]},
        {"about": "names", "paths": ["\u20ac"]},
        {"about": "names", "paths": ["a"] * (below_questions.MAX_PATHS + 1)},
    ],
    ids=["about", "up", "absolute", "empty part", "dot", "no bytes", "too many"],
)
def test_dishonest_questions_are_refused(question: Mapping[str, object]) -> None:
    with pytest.raises(FailedPrecondition):
        read_question(over_the_wire(question))
