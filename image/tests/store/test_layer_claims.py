"""Tests of claims between pulls."""

import pytest

from image.errors import Internal
from image.store.layer_claims import ClaimState, LayerClaims

PRESENT, YOURS, BUSY = ClaimState.PRESENT, ClaimState.YOURS, ClaimState.BUSY


def test_layer_is_made_by_the_first_who_asks() -> None:
    claims = LayerClaims()
    assert claims.take("a", ["1", "2"], {"1"}) == {"1": PRESENT, "2": YOURS}
    assert claims.take("b", ["2", "3"], {"1"}) == {"2": BUSY, "3": YOURS}
    assert claims.take("a", ["2"], set()) == {"2": YOURS}
    assert claims.owns("a", "2")
    assert not claims.owns("b", "2")


def test_published_layer_is_present_and_failed_one_is_free() -> None:
    claims = LayerClaims()
    claims.take("a", ["1", "2"], set())
    claims.take("b", ["1", "2"], set())
    claims.settle("1")
    claims.release("a")
    assert claims.take("b", ["1", "2"], {"1"}) == {"1": PRESENT, "2": YOURS}


def test_pins_last_as_long_as_any_pull() -> None:
    claims = LayerClaims()
    claims.take("a", ["1"], {"1"})
    claims.take("a", ["1"], {"1"})
    claims.take("b", ["1", "2"], {"1"})
    claims.release("a")
    assert claims.pinned() == {"1", "2"}
    claims.release("b")
    claims.release("b")
    assert claims.pinned() == frozenset()


def test_only_present_layers_that_were_asked_for_may_be_looked_into() -> None:
    claims = LayerClaims()
    claims.take("t", ["a", "b"], {"a"})
    claims.check_claimed("t", ["a"], {"a", "c"})
    for ticket, chain_id in (("t", "b"), ("t", "c"), ("other", "a")):
        with pytest.raises(Internal, match="not its own"):
            claims.check_claimed(ticket, [chain_id], {"a", "c"})
