"""Annotations in a container's spec: a few of our own, the handler's, and no others.

OCI runtimes take annotations as orders (hooks' output files, other handlers, systemd properties), so what a pod says reaches
them only under names that the administrator listed for the handler, exactly (security rule D6). Ours are containerd's
`io.kubernetes.cri.*`, which VM runtimes and node tools read; CRI-O's dozens hold its own state and are not needed. Ours are
set last: a pod cannot pretend to be another.
"""

from collections.abc import Iterable, Mapping

from runtime.spec.document import Option, Spec, merge
from runtime.spec.request import SpecRequest

_OWN = "io.kubernetes.cri."


def container_annotations(request: SpecRequest) -> dict[str, str]:
    """Return all annotations of a container, sorted by name."""
    merged = {**dict(request.handler.default_annotations), **_allowed(request), **_own(request)}
    return dict(sorted(merged.items()))


def _allowed(request: SpecRequest) -> Mapping[str, str]:
    allowed = frozenset(request.handler.allowed_annotations)
    asked = {**dict(request.sandbox.annotations), **dict(request.container.annotations)}
    return {name: value for name, value in asked.items() if name in allowed}


def _own(request: SpecRequest) -> Mapping[str, str]:
    pod = request.sandbox.metadata
    return {
        f"{_OWN}container-type": "container",
        f"{_OWN}container-name": request.container.metadata.name,
        f"{_OWN}image-name": request.image_name or request.container.image,
        f"{_OWN}sandbox-id": request.sandbox_id,
        f"{_OWN}sandbox-name": pod.name,
        f"{_OWN}sandbox-namespace": pod.namespace,
        f"{_OWN}sandbox-uid": pod.uid,
    }


def annotation_options(request: SpecRequest) -> tuple[Option, ...]:
    """Return the options for a container's annotations."""
    return (with_annotations(container_annotations(request).items()),)


def with_annotations(annotations: Iterable[tuple[str, str]]) -> Option:
    """Set annotations; others stay."""
    values: Spec = dict(annotations)
    return lambda spec: merge(spec, ("annotations",), values)
