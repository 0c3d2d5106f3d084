"""The rig, started."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runtime.tests.lifecycle.rig import Rig


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    one = Rig(tmp_path)
    await one.start()
    yield one
    await one.kill()
