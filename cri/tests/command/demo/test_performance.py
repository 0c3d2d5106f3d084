"""The demo's order: what the machine lacks is told as the outcome, never as a traceback."""

import pytest

from cri.command.demo import performance
from cri.command.demo.report import JsonReport


def test_missing_busybox_is_told_with_the_package_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(performance, "find_busybox", lambda: None)
    outcome = performance.perform(handler="", builtin_registry=True, report=JsonReport())
    assert outcome.error.endswith("apt install busybox-static")
    assert outcome.steps == []
