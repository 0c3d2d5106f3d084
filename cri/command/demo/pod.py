"""The pod's life by CRI calls, as the kubelet would make them: each function is one step and tells what it saw."""

import json
import time
from collections.abc import Iterable, Mapping

import grpc

from cri.api import api_pb2, api_pb2_grpc
from cri.command.demo.surroundings import Surroundings

_CALL_SECONDS = 120
_GREETING = "echo hello from $(hostname) at $(ip -4 -o addr show eth0 | cat); echo done >&2; exec sleep 3600"


class DemoPod:
    """One pod with one container on the private daemon."""

    def __init__(self, channel: grpc.Channel, place: Surroundings, image: str) -> None:
        self._runtime = api_pb2_grpc.RuntimeServiceStub(channel)
        self._images = api_pb2_grpc.ImageServiceStub(channel)
        self._image = image
        self._place = place
        self._logs = place.directory / "logs"
        self._sandbox_id = ""
        self._container_id = ""
        self._config = api_pb2.PodSandboxConfig(
            metadata=api_pb2.PodSandboxMetadata(name="hello", namespace="demo", uid=place.name),
            hostname="hello",
            log_directory=str(self._logs),
            linux=api_pb2.LinuxPodSandboxConfig(
                cgroup_parent=place.cgroup,
                security_context=api_pb2.LinuxSandboxSecurityContext(
                    namespace_options=api_pb2.NamespaceOption(pid=api_pb2.CONTAINER)
                ),
            ),
        )

    def describe(self) -> str:
        """Say who answers and with which handler."""
        version = self._runtime.Version(api_pb2.VersionRequest(), timeout=_CALL_SECONDS)
        status = self._runtime.Status(api_pb2.StatusRequest(verbose=True), timeout=_CALL_SECONDS)
        bad = [
            f"{each.type}: {each.message}" for each in status.status.conditions if not each.status
        ]
        lines = [
            f"{version.runtime_name} {version.runtime_version}, CRI {version.runtime_api_version}",
            _handler_words(dict(status.info)),
        ]
        return "\n".join(lines + bad)

    def pull(self) -> str:
        """Pull the image by tag through its manifest list."""
        spec = api_pb2.ImageSpec(image=self._image)
        pulled = self._images.PullImage(api_pb2.PullImageRequest(image=spec), timeout=_CALL_SECONDS)
        image = self._images.ImageStatus(
            api_pb2.ImageStatusRequest(image=spec), timeout=_CALL_SECONDS
        ).image
        return f"{self._image}\n{pulled.image_ref[:19]}, {image.size / 1e6:.1f} MB, by {image.repo_digests[0][-15:]}"

    def run_sandbox(self) -> str:
        """Bring the pod sandbox up."""
        request = api_pb2.RunPodSandboxRequest(config=self._config)
        self._sandbox_id = self._runtime.RunPodSandbox(
            request, timeout=_CALL_SECONDS
        ).pod_sandbox_id
        status = self._runtime.PodSandboxStatus(
            api_pb2.PodSandboxStatusRequest(pod_sandbox_id=self._sandbox_id), timeout=_CALL_SECONDS
        ).status
        return f"demo/hello has address {status.network.ip}"

    def create(self) -> str:
        """Create the container."""
        config = api_pb2.ContainerConfig(
            metadata=api_pb2.ContainerMetadata(name="greeter"),
            image=api_pb2.ImageSpec(image=self._image),
            command=["/bin/sh", "-c", _GREETING],
            log_path="greeter.log",
            linux=api_pb2.LinuxContainerConfig(
                resources=api_pb2.LinuxContainerResources(memory_limit_in_bytes=64 * 2**20),
                security_context=api_pb2.LinuxContainerSecurityContext(
                    namespace_options=api_pb2.NamespaceOption(pid=api_pb2.CONTAINER)
                ),
            ),
        )
        request = api_pb2.CreateContainerRequest(
            pod_sandbox_id=self._sandbox_id, config=config, sandbox_config=self._config
        )
        self._container_id = self._runtime.CreateContainer(
            request, timeout=_CALL_SECONDS
        ).container_id
        return f"container {self._container_id[:13]}, 64 MiB"

    def start(self) -> str:
        """Start the container."""
        request = api_pb2.StartContainerRequest(container_id=self._container_id)
        self._runtime.StartContainer(request, timeout=_CALL_SECONDS)
        answer = self._runtime.ContainerStatus(
            api_pb2.ContainerStatusRequest(container_id=self._container_id, verbose=True),
            timeout=_CALL_SECONDS,
        )
        return f"state {api_pb2.ContainerState.Name(answer.status.state).removeprefix('CONTAINER_').lower()}"

    def show_log(self) -> str:
        """Wait for the greeting in the container's log and show it."""
        path, end = self._logs / "greeter.log", time.monotonic() + 10
        while time.monotonic() < end:
            text = path.read_text() if path.exists() else ""
            if text.count("\n") >= 2:
                return "\n".join(["greeter.log", *(_log_text(line) for line in text.splitlines())])
            time.sleep(0.01)
        raise TimeoutError(f"the container wrote nothing to {path} in 10 s")

    def exec(self) -> str:
        """Run a command in the container."""
        request = api_pb2.ExecSyncRequest(
            container_id=self._container_id, cmd=["/bin/id"], timeout=10
        )
        answer = self._runtime.ExecSync(request, timeout=_CALL_SECONDS)
        return f"id: {answer.stdout.decode().strip()} (exit {answer.exit_code})"

    def show_use(self) -> str:
        """Show what the container uses."""
        request = api_pb2.ContainerStatsRequest(container_id=self._container_id)
        stats = self._runtime.ContainerStats(request, timeout=_CALL_SECONDS).stats
        cpu, memory = stats.cpu.usage_core_nano_seconds.value, stats.memory.working_set_bytes.value
        layer = stats.writable_layer.used_bytes.value
        return f"cpu {cpu / 1e6:.1f} ms, memory {memory / 2**20:.1f} MiB, writable layer {layer / 1024:.0f} KiB"

    def down(self) -> str:
        """Stop and remove container and sandbox."""
        self._runtime.StopPodSandbox(
            api_pb2.StopPodSandboxRequest(pod_sandbox_id=self._sandbox_id), timeout=_CALL_SECONDS
        )
        self._runtime.RemovePodSandbox(
            api_pb2.RemovePodSandboxRequest(pod_sandbox_id=self._sandbox_id), timeout=_CALL_SECONDS
        )
        return "container and sandbox stopped and removed"

    def remove_image(self) -> str:
        """Remove the image."""
        spec = api_pb2.ImageSpec(image=self._image)
        self._images.RemoveImage(api_pb2.RemoveImageRequest(image=spec), timeout=_CALL_SECONDS)
        return _counted(
            self._images.ListImages(api_pb2.ListImagesRequest(), timeout=_CALL_SECONDS).images
        )


def _counted(images: Iterable[object]) -> str:
    count = len(list(images))
    if count:
        raise RuntimeError(f"{count} images are still there after the only one was removed")
    return "no image is left"


def _handler_words(info: Mapping[str, str]) -> str:
    """Say which OCI runtime is used, and why another one is not."""
    default = json.loads(info["config"])["defaultHandler"]
    handlers = json.loads(info["handlers"])
    version = handlers.get(default, {}).get("version", "") or default or "none"
    unusable = [f"{name}: {one['reason']}" for name, one in handlers.items() if not one["usable"]]
    return "; not ".join([f"handler {version}", *unusable])


def _log_text(line: str) -> str:
    _, stream, _, text = line.split(" ", 3)
    return f"{stream}: {text}"
