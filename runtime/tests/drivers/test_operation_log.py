"""Tests of the log of operations."""

import asyncio
import logging

import pytest

from runtime.drivers.operation_log import logged_operation


async def test_begin_and_end_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with logged_operation("create", "ab"):
        pass
    assert [record.message.split(" after")[0] for record in caplog.records] == [
        "create ab begins",
        "create ab ended",
    ]


async def test_failure_is_logged_and_passed_on(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with pytest.raises(ValueError, match="why"):
        async with logged_operation("create", "ab"):
            raise ValueError("why")
    assert "create ab failed after" in caplog.text
    assert "why" in caplog.text


async def test_cancellation_is_logged_and_passed_on(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0), logged_operation("create", "ab"):
            await asyncio.Event().wait()
    assert "create ab was cancelled" in caplog.text


async def test_slow_call_is_named_again_and_again_while_it_runs(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with asyncio.timeout(30), logged_operation("create", "ab", slow_seconds=0.001):
        while len(caplog.records) < 2:
            await asyncio.sleep(0)
    assert "create ab still runs after" in caplog.text
    count = len(caplog.records)
    await asyncio.sleep(0.005)
    assert len(caplog.records) == count
