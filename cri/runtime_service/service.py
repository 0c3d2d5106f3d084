"""The RuntimeService: which file answers which call. Dispatch only; what is not here answers UNIMPLEMENTED."""

from functools import partial

from cri.api import api_pb2
from cri.grpc_interceptor import NOBODY, CallObserver
from cri.grpc_methods import MethodTable
from cri.runtime_service import (
    container_create,
    container_events,
    container_exec_sync,
    container_list,
    container_log_reopen,
    container_remove,
    container_start,
    container_stats,
    container_status,
    container_stop,
    container_update,
    runtime_status,
    runtime_version,
    sandbox_list,
    sandbox_remove,
    sandbox_run,
    sandbox_stats,
    sandbox_status,
    sandbox_stop,
    streaming_urls,
)
from cri.runtime_service.parts import RuntimeParts


def runtime_methods(parts: RuntimeParts, observer: CallObserver = NOBODY) -> MethodTable:
    """Return the table of the service."""
    table = MethodTable(api_pb2.DESCRIPTOR.services_by_name["RuntimeService"], observer)
    _add_runtime(table, parts)
    _add_sandboxes(table, parts)
    _add_containers(table, parts)
    return table


def _add_runtime(table: MethodTable, parts: RuntimeParts) -> None:
    table.unary("Version", partial(runtime_version.version, parts))
    table.unary("Status", partial(runtime_status.status, parts))
    table.unary("RuntimeConfig", partial(runtime_status.runtime_config, parts))
    table.unary("UpdateRuntimeConfig", partial(runtime_status.update_runtime_config, parts))
    table.stream("GetContainerEvents", partial(container_events.get_container_events, parts))


def _add_sandboxes(table: MethodTable, parts: RuntimeParts) -> None:
    table.unary("RunPodSandbox", partial(sandbox_run.run_pod_sandbox, parts))
    table.unary("StopPodSandbox", partial(sandbox_stop.stop_pod_sandbox, parts))
    table.unary("RemovePodSandbox", partial(sandbox_remove.remove_pod_sandbox, parts))
    table.unary("PodSandboxStatus", partial(sandbox_status.pod_sandbox_status, parts))
    table.unary("ListPodSandbox", partial(sandbox_list.list_pod_sandbox, parts))
    table.stream("StreamPodSandboxes", partial(sandbox_list.stream_pod_sandboxes, parts))
    table.unary("PortForward", partial(streaming_urls.port_forward_url, parts))
    table.unary("PodSandboxStats", partial(sandbox_stats.stats, parts))
    table.unary("ListPodSandboxStats", partial(sandbox_stats.list_stats, parts))
    table.stream("StreamPodSandboxStats", partial(sandbox_stats.stream_stats, parts))


def _add_containers(table: MethodTable, parts: RuntimeParts) -> None:
    table.unary("CreateContainer", partial(container_create.create, parts))
    table.unary("StartContainer", partial(container_start.start, parts))
    table.unary("StopContainer", partial(container_stop.stop, parts))
    table.unary("RemoveContainer", partial(container_remove.remove, parts))
    table.unary("ListContainers", partial(container_list.list_containers, parts))
    table.stream("StreamContainers", partial(container_list.stream_containers, parts))
    table.unary("ContainerStatus", partial(container_status.status, parts))
    table.unary("UpdateContainerResources", partial(container_update.update_resources, parts))
    table.unary("ReopenContainerLog", partial(container_log_reopen.reopen_container_log, parts))
    table.unary("ExecSync", partial(container_exec_sync.exec_in_container, parts))
    table.unary("Exec", partial(streaming_urls.exec_url, parts))
    table.unary("Attach", partial(streaming_urls.attach_url, parts))
    table.unary("ContainerStats", partial(container_stats.stats, parts))
    table.unary("ListContainerStats", partial(container_stats.list_stats, parts))
    table.stream("StreamContainerStats", partial(container_stats.stream_stats, parts))
