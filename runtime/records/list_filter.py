"""Which pods and containers a list request asks for.

Every part that is given must hold (AND); an empty filter fits everything, an unknown id nothing. Ids may be
prefixes, as everywhere in CRI. Pure: compares, never looks anything up.
"""

from dataclasses import dataclass
from typing import overload

from runtime.records.container import ContainerRecord, ContainerState
from runtime.records.sandbox import SandboxRecord, SandboxState


@dataclass(frozen=True, kw_only=True, slots=True)
class SandboxFilter:
    """PodSandboxFilter; empty or None parts ask for nothing."""

    id: str = ""
    state: SandboxState | None = None
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class ContainerFilter:
    """ContainerFilter; empty or None parts ask for nothing."""

    id: str = ""
    sandbox_id: str = ""
    state: ContainerState | None = None
    labels: tuple[tuple[str, str], ...] = ()


@overload
def matches(wanted: SandboxFilter, record: SandboxRecord) -> bool: ...
@overload
def matches(wanted: ContainerFilter, record: ContainerRecord) -> bool: ...
def matches(
    wanted: SandboxFilter | ContainerFilter, record: SandboxRecord | ContainerRecord
) -> bool:
    """Tell whether a record has everything that the filter asks for."""
    if not record.id.startswith(wanted.id):
        return False
    if wanted.state is not None and record.state is not wanted.state:
        return False
    if isinstance(record, ContainerRecord) and not _in_sandbox(wanted, record):
        return False
    return all(label in record.config.labels for label in wanted.labels)


def _in_sandbox(wanted: SandboxFilter | ContainerFilter, record: ContainerRecord) -> bool:
    return isinstance(wanted, ContainerFilter) and record.sandbox_id.startswith(wanted.sandbox_id)
