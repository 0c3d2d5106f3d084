"""A container's states."""

import pytest

from runtime.errors import FailedPrecondition
from runtime.records.container import ContainerEvent, ContainerState, transition

ALLOWED = {
    (ContainerState.CREATED, ContainerEvent.STARTED): ContainerState.RUNNING,
    (ContainerState.CREATED, ContainerEvent.START_FAILED): ContainerState.EXITED,
    (ContainerState.CREATED, ContainerEvent.EXITED): ContainerState.EXITED,
    (ContainerState.RUNNING, ContainerEvent.EXITED): ContainerState.EXITED,
    (ContainerState.UNKNOWN, ContainerEvent.EXITED): ContainerState.EXITED,
}


@pytest.mark.parametrize("state", ContainerState)
@pytest.mark.parametrize("event", ContainerEvent)
def test_event_moves_the_state_by_the_table_or_is_refused(
    state: ContainerState, event: ContainerEvent
) -> None:
    if (state, event) in ALLOWED:
        assert transition(state, event) is ALLOWED[state, event]
        return
    with pytest.raises(FailedPrecondition, match=f"is {state}, so it cannot be {event}"):
        transition(state, event)
