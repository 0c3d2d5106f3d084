"""List filters: every part must hold."""

import pytest

from runtime.records.container import (
    ContainerConfig,
    ContainerMetadata,
    ContainerRecord,
    ContainerState,
)
from runtime.records.list_filter import ContainerFilter, SandboxFilter, matches
from runtime.records.sandbox import SandboxConfig, SandboxMetadata, SandboxRecord, SandboxState

LABELS = (("app", "web"), ("tier", "front"))
SANDBOX = SandboxRecord(
    id="ab12",
    config=SandboxConfig(metadata=SandboxMetadata(name="n", namespace="s", uid="u"), labels=LABELS),
    runtime_handler="",
    handler="crun",
    state=SandboxState.READY,
    created_at_ns=1,
)
CONTAINER = ContainerRecord(
    id="cd34",
    sandbox_id="ab12",
    config=ContainerConfig(metadata=ContainerMetadata(name="c"), image="i", labels=LABELS),
    image_id="i",
    state=ContainerState.RUNNING,
    created_at_ns=1,
)


@pytest.mark.parametrize(
    ("wanted", "answer"),
    [
        (SandboxFilter(), True),
        (SandboxFilter(id="ab12"), True),
        (SandboxFilter(id="a"), True),
        (SandboxFilter(id="b"), False),
        (SandboxFilter(state=SandboxState.READY), True),
        (SandboxFilter(state=SandboxState.NOTREADY), False),
        (SandboxFilter(labels=(("app", "web"),)), True),
        (SandboxFilter(labels=(("app", "web"), ("x", "y"))), False),
        (SandboxFilter(labels=(("app", "db"),)), False),
        (SandboxFilter(id="ab", state=SandboxState.READY, labels=LABELS), True),
        (SandboxFilter(id="ab", state=SandboxState.NOTREADY, labels=LABELS), False),
    ],
)
def test_sandbox_must_fit_every_part(wanted: SandboxFilter, answer: bool) -> None:
    assert matches(wanted, SANDBOX) is answer


@pytest.mark.parametrize(
    ("wanted", "answer"),
    [
        (ContainerFilter(), True),
        (ContainerFilter(id="cd"), True),
        (ContainerFilter(id="ab12"), False),
        (ContainerFilter(sandbox_id="ab"), True),
        (ContainerFilter(sandbox_id="cd"), False),
        (ContainerFilter(state=ContainerState.EXITED), False),
        (ContainerFilter(sandbox_id="ab12", state=ContainerState.RUNNING, labels=LABELS), True),
        (ContainerFilter(labels=(("app", "db"),)), False),
    ],
)
def test_container_must_fit_every_part(wanted: ContainerFilter, answer: bool) -> None:
    assert matches(wanted, CONTAINER) is answer
