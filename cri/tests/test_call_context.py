"""What is bound to a call stays with that call."""

import asyncio

from cri import call_context


def test_bound_fields_are_taken_off_again() -> None:
    token = call_context.bind(pod="a", empty="")
    assert call_context.fields() == {"pod": "a"}
    call_context.unbind(token)
    assert call_context.fields() == {}


async def test_tasks_inherit_and_neighbours_do_not_see() -> None:
    async def child() -> dict[str, str]:
        call_context.bind(step="x")
        return dict(call_context.fields())

    token = call_context.bind(pod="a")
    async with asyncio.TaskGroup() as group:
        task = group.create_task(child())
    assert task.result() == {"pod": "a", "step": "x"}
    assert dict(call_context.fields()) == {"pod": "a"}
    call_context.unbind(token)
