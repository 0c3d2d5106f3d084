"""What every unit test relies on: no time limits on single examples, and no event loop left over from another test."""

import asyncio
import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

# Machines are shared: a slow example says nothing about the code. The same examples in each run: whoever changes a line
# must not find what another one broke. LADING_RANDOM_TESTS=1 looks for new ones.
settings.register_profile(
    "lading", deadline=None, derandomize="LADING_RANDOM_TESTS" not in os.environ
)
settings.load_profile("lading")


@pytest.fixture(autouse=True)
def _no_event_loop_left_over() -> Iterator[None]:
    """Forget the loop that pytest-asyncio sets for its own needs, which nobody would close."""
    yield
    policy_loop = getattr(asyncio.get_event_loop_policy(), "_local", None)
    loop = getattr(policy_loop, "_loop", None)
    if loop is not None and not loop.is_running() and not loop.is_closed():
        loop.close()
        asyncio.set_event_loop(None)
