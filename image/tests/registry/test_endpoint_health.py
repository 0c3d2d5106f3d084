"""Endpoints that were unreachable are asked last until they answer a probe."""

from image.protocol.circuit_breaker import MAX_CIRCUITS, Circuit
from image.protocol.mirror_rules import Endpoint
from image.registry.endpoint_health import EndpointHealth

ONE = Endpoint(url="https://one.test/v2", is_origin=False)
TWO = Endpoint(url="https://two.test/v2", is_origin=True)


def test_dead_endpoint_comes_last_until_it_answers() -> None:
    now = [0.0]
    told: list[tuple[str, Circuit | None]] = []
    health = EndpointHealth(listener=lambda *word: told.append(word), clock=lambda: now[0])
    assert health.order([ONE, TWO]) == [ONE, TWO]
    health.note_unreachable(ONE)
    health.note_unreachable(ONE)
    assert health.order([ONE, TWO]) == [TWO, ONE]
    assert health.take_due([ONE, TWO]) == []
    now[0] = 30.0
    assert health.order([ONE, TWO]) == [TWO, ONE]
    assert health.take_due([ONE, TWO]) == [ONE]
    assert health.take_due([ONE, TWO]) == []
    health.note_answer(ONE)
    health.note_answer(TWO)
    assert health.order([ONE, TWO]) == [ONE, TWO]
    assert told == [(ONE.url, Circuit(failures=1, open_until=30.0)), (ONE.url, None)]


def test_what_another_process_learnt_counts() -> None:
    known = {ONE.url: Circuit(failures=2, open_until=5.0)}
    health = EndpointHealth(known=known, clock=lambda: 1.0)
    assert health.order([ONE, TWO]) == [TWO, ONE]


def test_memory_is_bounded() -> None:
    health = EndpointHealth()
    for number in range(MAX_CIRCUITS):
        health.note_unreachable(Endpoint(url=f"https://{number}.test/v2", is_origin=False))
    health.note_unreachable(ONE)
    assert health.order([ONE, TWO]) == [TWO, ONE]
