"""Changes are SQL with parameters, never text put together."""

import pytest

from runtime.store.changes import (
    Change,
    drop_container,
    drop_intent,
    drop_sandbox,
    put_boot_id,
    put_container,
    put_intent,
    put_sandbox,
)
from runtime.store.journal import IntentKind
from runtime.tests.store.sample_rows import container, intent, sandbox

ODD = "x'; DROP TABLE sandboxes; --"


@pytest.mark.parametrize(
    "change",
    [
        put_sandbox(sandbox()),
        put_container(container()),
        put_intent(intent()),
        drop_sandbox(ODD),
        drop_container(ODD),
        drop_intent(IntentKind.RUN, ODD),
        put_boot_id(ODD),
    ],
)
def test_values_are_parameters(change: Change) -> None:
    assert change.sql.count("?") == len(change.parameters)
    assert ODD not in change.sql
