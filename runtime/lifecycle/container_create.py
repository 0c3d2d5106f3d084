"""CreateContainer: who may have which container, before one is built.

A request that equals a running one joins it; one that equals a CREATED or RUNNING container gets its id; anything else of
that name is refused with what differs. What is built, and undone, is in `container_build`.
"""

from dataclasses import dataclass

from runtime.errors import AlreadyExists, FailedPrecondition, Unimplemented
from runtime.lifecycle.container_build import ContainerBuild
from runtime.lifecycle.node import Node
from runtime.lifecycle.object_names import name_in_pod
from runtime.lifecycle.operations import Operation, Ticket
from runtime.records.container import ContainerConfig, ContainerRecord, ContainerState
from runtime.records.differences import differing_fields
from runtime.records.identifiers import container_key
from runtime.records.sandbox import SandboxRecord, SandboxState
from runtime.spec.cgroups_path import cgroups_path
from runtime.spec.image_defaults import ImageDefaults
from runtime.spec.stop_signal import stop_signal
from runtime.spec.validate import validate_container, validate_image


@dataclass(frozen=True, kw_only=True, slots=True)
class ContainerRequest:
    """What must be equal for two requests to be the same."""

    config: ContainerConfig
    image_id: str


async def create_container(
    node: Node, sandbox_id: str, config: ContainerConfig, image_id: str, image: ImageDefaults
) -> str:
    """Create a container in a READY pod and return its id.

    Raises:
        NotFound: there is no such pod, or the image is not here.
        FailedPrecondition: the pod is not READY, or is stopped meanwhile.
        InvalidArgument: the request cannot be.
        Unimplemented: it asks for something that is not built; nothing of a request is left out silently.
        AlreadyExists: a container of this name and attempt exists or is being made, and is not what was asked for.
        Unavailable, DeadlineExceeded, Internal: something below failed; everything was undone.
    """
    sandbox = node.sandbox(sandbox_id)
    subject = f"create {name_in_pod(sandbox, config)}"
    _check_ready(sandbox, subject)
    request = ContainerRequest(config=config, image_id=image_id)
    key = container_key(sandbox.id, config.metadata)
    existing = node.container_by_key(key)
    if existing is not None:
        return _same_or_refused(existing, request, subject)
    _check_built(config, subject)
    validate_image(image)
    features = node.runtime_features(sandbox.handler)
    validate_container(config, sandbox.config, features, node.host_facts)
    draft = _draft(node, sandbox, request, image)
    ticket = Ticket(kind="create", key=key, subject=subject, request=request, sandbox_id=sandbox.id)

    async def work(operation: Operation) -> str:
        """Build it; returns the id."""
        return await ContainerBuild(node, operation, sandbox, draft, image).run()

    return await node.operations.run(ticket, work)


def _check_ready(sandbox: SandboxRecord, subject: str) -> None:
    if sandbox.state is not SandboxState.READY:
        raise FailedPrecondition(
            subject,
            f"pod {sandbox.id[:12]} is not ready",
            remedy="run a new pod",
            reason="PodNotReady",
        )


def _check_built(config: ContainerConfig, subject: str) -> None:
    if config.cdi_devices:
        raise Unimplemented(
            subject,
            f"CDI_devices (here {config.cdi_devices[0][:200]}) are not supported",
            remedy="name device nodes in devices, or use a device plugin that does",
            reason="CdiUnsupported",
        )


def _same_or_refused(existing: ContainerRecord, request: ContainerRequest, subject: str) -> str:
    present = ContainerRequest(config=existing.config, image_id=existing.image_id)
    if existing.state is not ContainerState.EXITED and present == request:
        return existing.id
    different = ", ".join(differing_fields(present, request))
    raise AlreadyExists(
        subject,
        f"container {existing.id[:12]} has this name and attempt and is {existing.state}"
        + (f", and differs in {different}" if different else ""),
        remedy="remove it, or use another attempt number",
        reason="NameInUse",
    )


def _draft(
    node: Node, sandbox: SandboxRecord, request: ContainerRequest, image: ImageDefaults
) -> ContainerRecord:
    container_id, config = node.fresh_id(), request.config
    return ContainerRecord(
        id=container_id,
        sandbox_id=sandbox.id,
        config=config,
        image_id=request.image_id,
        state=ContainerState.CREATED,
        created_at_ns=node.clock(),
        handler=sandbox.handler,
        stop_signal=stop_signal(config.stop_signal, image.stop_signal),
        resources=config.resources,
        cgroups_path=cgroups_path(
            sandbox.config.linux.cgroup_parent,
            container_id,
            systemd=node.settings.systemd_cgroups,
        ),
    )
