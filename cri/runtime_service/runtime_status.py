"""Status, RuntimeConfig and UpdateRuntimeConfig: what the node can do now, and why not when it cannot."""

import json
import logging

from cri.api import api_pb2
from cri.runtime_service.parts import RuntimeParts
from runtime.drivers.driver import DriverFeatures

log = logging.getLogger(__name__)


async def status(parts: RuntimeParts, request: api_pb2.StatusRequest) -> api_pb2.StatusResponse:
    """Answer Status: conditions with reason and remedy, and each handler's honest features."""
    conditions = [
        api_pb2.RuntimeCondition(
            type=one.type, status=one.ready, reason=one.reason, message=one.message
        )
        for one in parts.conditions()
    ]
    return api_pb2.StatusResponse(
        status=api_pb2.RuntimeStatus(conditions=conditions),
        runtime_handlers=_handlers(parts),
        features=_features(parts),
        info=_info(parts) if request.verbose else {},
    )


async def runtime_config(
    parts: RuntimeParts, request: api_pb2.RuntimeConfigRequest
) -> api_pb2.RuntimeConfigResponse:
    """Answer RuntimeConfig: the kubelet takes its cgroup driver from here."""
    driver = api_pb2.SYSTEMD if parts.systemd_cgroups else api_pb2.CGROUPFS
    linux = api_pb2.LinuxRuntimeConfiguration(cgroup_driver=driver)
    return api_pb2.RuntimeConfigResponse(linux=linux)


async def update_runtime_config(
    parts: RuntimeParts, request: api_pb2.UpdateRuntimeConfigRequest
) -> api_pb2.UpdateRuntimeConfigResponse:
    """Answer UpdateRuntimeConfig: the pod CIDR is noted; network add-ons write their own configuration."""
    log.info("pod CIDR is %s", request.runtime_config.network_config.pod_cidr or "not set")
    return api_pb2.UpdateRuntimeConfigResponse()


def _handlers(parts: RuntimeParts) -> list[api_pb2.RuntimeHandler]:
    """Return the default handler under the empty name, then every handler under its own."""
    features = parts.node.features
    default = features.get(parts.node.default_handler)
    named = [_handler(name, found) for name, found in sorted(features.items()) if found.usable]
    return named if default is None else [_handler("", default), *named]


def _handler(name: str, found: DriverFeatures) -> api_pb2.RuntimeHandler:
    return api_pb2.RuntimeHandler(
        name=name,
        features=api_pb2.RuntimeHandlerFeatures(
            recursive_read_only_mounts=found.usable and found.recursive_read_only_mounts,
            user_namespaces=found.usable and found.user_namespaces,
        ),
    )


def _features(parts: RuntimeParts) -> api_pb2.RuntimeFeatures:
    usable = [found for found in parts.node.features.values() if found.usable]
    return api_pb2.RuntimeFeatures(
        supplemental_groups_policy=True,
        user_namespaces_host_network=any(found.user_namespaces for found in usable),
        mount_options=bool(usable) and all(found.mount_options for found in usable),
    )


def _info(parts: RuntimeParts) -> dict[str, str]:
    settings = parts.node.settings
    handlers = {
        name: {
            "version": found.version,
            "usable": found.usable,
            "reason": found.reason,
            "recursiveReadOnlyMounts": found.recursive_read_only_mounts,
            "userNamespaces": found.user_namespaces,
            "mountOptions": found.mount_options,
        }
        for name, found in parts.node.features.items()
    }
    config = {
        "rootDir": str(settings.root),
        "stateDir": str(settings.state),
        "defaultHandler": parts.node.default_handler,
        "settings": dict(parts.configuration),
    }
    return {"config": json.dumps(config), "handlers": json.dumps(handlers)}
