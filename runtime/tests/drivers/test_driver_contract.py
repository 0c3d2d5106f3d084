"""The contract suite of container drivers, on the fake."""

import itertools
from pathlib import Path

import pytest

from e2e.contracts.driver_contract import DriverContract
from runtime.drivers.driver import ContainerHandle, CreateRequest
from runtime.tests.fakes.fake_driver import FakeDriver


class FakeScene:
    """A fake driver and its containers."""

    def __init__(self, directory: Path) -> None:
        self.driver = FakeDriver()
        self._directory = directory
        self._numbers = itertools.count(1)

    def request(self) -> CreateRequest:
        id = f"{next(self._numbers):064x}"
        bundle = self._directory / id
        bundle.mkdir()
        log = str(bundle / "log")
        return CreateRequest(id=id, name="fake", bundle=bundle, spec={}, log_path=log)

    async def exit(self, id: str, code: int) -> None:
        self.driver.container(id).exit(code)

    async def exec_runs(self, handle: ContainerHandle) -> bool:
        return self.driver.calls[-1] == "exec"


class TestFakeDriver(DriverContract):
    @pytest.fixture
    def scene(self, tmp_path: Path) -> FakeScene:
        return FakeScene(tmp_path)
