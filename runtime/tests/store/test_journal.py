"""Rows of the journal are read back as they were written."""

from dataclasses import replace

import pytest

from runtime.errors import Internal
from runtime.store.journal import Intent, IntentKind, intent_from_text, intent_text
from runtime.tests.store.sample_rows import container, intent


@pytest.mark.parametrize(
    "row",
    [
        intent(),
        replace(intent(), failed_steps=("network: no answer",)),
        Intent(kind=IntentKind.CREATE, object_id="c", started_at_ns=1, container=container()),
        Intent(kind=IntentKind.START, object_id="c", started_at_ns=1),
    ],
)
def test_an_intent_is_read_back_equal(row: Intent) -> None:
    assert intent_from_text(intent_text(row)) == row


def test_one_intent_of_a_kind_per_object() -> None:
    assert intent().key == f"run/{intent().object_id}"


def test_a_damaged_row_is_an_error() -> None:
    with pytest.raises(Internal):
        intent_from_text('{"kind": "fly"}')
