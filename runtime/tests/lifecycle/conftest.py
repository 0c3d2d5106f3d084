"""The rig, started.

Python 3.11 invents an event loop that nobody closes when a plugin asks for the current one outside of a test; saying that
there is none prevents it.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runtime.tests.lifecycle.rig import Rig

asyncio.set_event_loop(None)


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    one = Rig(tmp_path)
    await one.start()
    yield one
    await one.kill()
