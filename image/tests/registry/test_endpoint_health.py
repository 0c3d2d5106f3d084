"""Endpoints that were unreachable are asked last for a while."""

from image.protocol.mirror_rules import Endpoint
from image.registry.endpoint_health import EndpointHealth

ONE = Endpoint(url="https://one.test/v2", is_origin=False)
TWO = Endpoint(url="https://two.test/v2", is_origin=True)


def test_doubted_endpoint_comes_last_for_half_a_minute() -> None:
    now = [0.0]
    health = EndpointHealth(clock=lambda: now[0])
    assert health.order([ONE, TWO]) == [ONE, TWO]
    health.note_unreachable(ONE)
    assert health.order([ONE, TWO]) == [TWO, ONE]
    now[0] = 30.0
    assert health.order([ONE, TWO]) == [ONE, TWO]


def test_memory_is_bounded() -> None:
    health = EndpointHealth()
    for number in range(1025):
        health.note_unreachable(Endpoint(url=f"https://{number}.test/v2", is_origin=False))
    health.note_unreachable(ONE)
    assert health.order([ONE, TWO]) == [TWO, ONE]
