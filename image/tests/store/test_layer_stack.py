"""Which directories an overlay gets, and what is told when one is missing."""

from pathlib import Path

import pytest

from image.errors import FailedPrecondition
from image.store.layer_stack import show_layers


def attach(chain_id: str) -> Path:
    """Show a layer that is only a name."""
    if chain_id == "gone":
        raise FileNotFoundError(chain_id)
    return Path(chain_id)


def test_layers_are_given_topmost_first_down_to_an_opaque_one() -> None:
    chain = ["base", "middle", "top"]
    assert show_layers(attach, "i", chain, set()) == (Path("top"), Path("middle"), Path("base"))
    assert show_layers(attach, "i", chain, {"middle"}) == (Path("top"), Path("middle"))
    assert show_layers(attach, "i", [], set()) == ()


def test_a_missing_layer_is_told_unless_it_is_hidden() -> None:
    with pytest.raises(FailedPrecondition, match="layer gone is missing from the store"):
        show_layers(attach, "i", ["gone", "top"], set())
    assert show_layers(attach, "i", ["gone", "top"], {"top"}) == (Path("top"),)
