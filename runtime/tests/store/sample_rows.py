"""Records to store."""

from runtime.records.container import (
    ContainerConfig,
    ContainerMetadata,
    ContainerRecord,
    ContainerState,
)
from runtime.records.sandbox import SandboxConfig, SandboxMetadata, SandboxRecord, SandboxState
from runtime.store.journal import Intent, IntentKind


def sandbox(number: int = 1) -> SandboxRecord:
    metadata = SandboxMetadata(name=f"p{number}", namespace="default", uid="u")
    return SandboxRecord(
        id=f"{number:064x}",
        config=SandboxConfig(metadata=metadata),
        runtime_handler="",
        handler="crun",
        state=SandboxState.READY,
        created_at_ns=number,
    )


def container(number: int = 1) -> ContainerRecord:
    return ContainerRecord(
        id=f"{number:064x}",
        sandbox_id=sandbox().id,
        config=ContainerConfig(metadata=ContainerMetadata(name=f"c{number}"), image="app"),
        image_id="sha256:a",
        state=ContainerState.CREATED,
        created_at_ns=number,
    )


def intent(number: int = 1) -> Intent:
    draft = sandbox(number)
    return Intent(kind=IntentKind.RUN, object_id=draft.id, started_at_ns=1, sandbox=draft)
