"""Changing the limits of a live container."""

from runtime.records.resources import LinuxResources
from runtime.spec.document import Spec
from runtime.spec.request import HostFacts


def updated_resources(current: LinuxResources, change: LinuxResources) -> LinuxResources:
    """Return the limits after a change; zero and empty leave a setting as it is."""
    raise NotImplementedError


def update_document(change: LinuxResources, host: HostFacts) -> Spec:
    """Return the JSON that `RUNTIME update --resources -` reads, with what is set alone."""
    raise NotImplementedError
