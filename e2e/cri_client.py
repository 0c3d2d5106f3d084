"""A plain synchronous CRI client: one channel, the generated stubs, and the calls tests make all
day.

Does no retry and hides no error: a failed call raises grpc.RpcError with the server's code and
text.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import grpc

from cri.api import api_pb2, api_pb2_grpc

DEADLINE = 120.0
MESSAGE_LIMIT = 64 * 1024 * 1024


class Client:
    """A connection to one runtime; remembers every id it was given, for the leftovers check."""

    def __init__(self, address: str) -> None:
        """Connect lazily to `unix:///path`."""
        self.address = address
        options = [
            ("grpc.max_receive_message_length", MESSAGE_LIMIT),
            ("grpc.max_send_message_length", MESSAGE_LIMIT),
            # Test daemons come and go at one address: a shared pool would hand out dead connections.
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.initial_reconnect_backoff_ms", 50),
            ("grpc.max_reconnect_backoff_ms", 200),
        ]
        self.channel = grpc.insecure_channel(address, options)
        self.runtime = api_pb2_grpc.RuntimeServiceStub(self.channel)
        self.image = api_pb2_grpc.ImageServiceStub(self.channel)
        self.seen_ids: set[str] = set()

    def close(self) -> None:
        """Close the connection."""
        self.channel.close()

    def version(self, timeout: float = 1.0) -> api_pb2.VersionResponse:
        """Ask for the version: the call that tells whether a runtime is there."""
        answer: api_pb2.VersionResponse = self.runtime.Version(
            api_pb2.VersionRequest(version="0.1.0"), timeout=timeout
        )
        return answer

    def pull(self, reference: str, timeout: float = DEADLINE) -> str:
        """Pull an image and return its id."""
        request = api_pb2.PullImageRequest(image=api_pb2.ImageSpec(image=reference))
        image_id: str = self.image.PullImage(request, timeout=timeout).image_ref
        return image_id

    def run_pod(self, config: api_pb2.PodSandboxConfig, handler: str = "") -> str:
        """Run a pod sandbox and return its id."""
        request = api_pb2.RunPodSandboxRequest(config=config, runtime_handler=handler)
        pod_id: str = self.runtime.RunPodSandbox(request, timeout=DEADLINE).pod_sandbox_id
        self.seen_ids.add(pod_id)
        return pod_id

    def create(
        self, pod_id: str, config: api_pb2.ContainerConfig, pod_config: api_pb2.PodSandboxConfig
    ) -> str:
        """Create a container and return its id."""
        request = api_pb2.CreateContainerRequest(
            pod_sandbox_id=pod_id, config=config, sandbox_config=pod_config
        )
        container_id: str = self.runtime.CreateContainer(request, timeout=DEADLINE).container_id
        self.seen_ids.add(container_id)
        return container_id

    def start(self, container_id: str) -> None:
        """Start a created container."""
        request = api_pb2.StartContainerRequest(container_id=container_id)
        self.runtime.StartContainer(request, timeout=DEADLINE)

    def exec_sync(
        self, container_id: str, command: Sequence[str], timeout: int = 60
    ) -> api_pb2.ExecSyncResponse:
        """Run a command in a container and wait for its end."""
        request = api_pb2.ExecSyncRequest(container_id=container_id, cmd=command, timeout=timeout)
        answer: api_pb2.ExecSyncResponse = self.runtime.ExecSync(request, timeout=DEADLINE)
        return answer

    def status(self, container_id: str) -> api_pb2.ContainerStatus:
        """Return a container's status."""
        request = api_pb2.ContainerStatusRequest(container_id=container_id)
        answer: api_pb2.ContainerStatusResponse = self.runtime.ContainerStatus(
            request, timeout=DEADLINE
        )
        return answer.status

    def pod_status(self, pod_id: str) -> api_pb2.PodSandboxStatus:
        """Return a pod sandbox's status."""
        request = api_pb2.PodSandboxStatusRequest(pod_sandbox_id=pod_id)
        answer: api_pb2.PodSandboxStatusResponse = self.runtime.PodSandboxStatus(
            request, timeout=DEADLINE
        )
        return answer.status

    def stop(self, container_id: str, timeout: int = 0) -> None:
        """Stop a container within seconds."""
        request = api_pb2.StopContainerRequest(container_id=container_id, timeout=timeout)
        self.runtime.StopContainer(request, timeout=DEADLINE)

    def remove(self, container_id: str) -> None:
        """Remove a container."""
        request = api_pb2.RemoveContainerRequest(container_id=container_id)
        self.runtime.RemoveContainer(request, timeout=DEADLINE)

    def stop_pod(self, pod_id: str) -> None:
        """Stop a pod sandbox."""
        request = api_pb2.StopPodSandboxRequest(pod_sandbox_id=pod_id)
        self.runtime.StopPodSandbox(request, timeout=DEADLINE)

    def remove_pod(self, pod_id: str) -> None:
        """Remove a pod sandbox and what is in it."""
        request = api_pb2.RemovePodSandboxRequest(pod_sandbox_id=pod_id)
        self.runtime.RemovePodSandbox(request, timeout=DEADLINE)

    def pods(self) -> list[api_pb2.PodSandbox]:
        """List all pod sandboxes."""
        answer = self.runtime.ListPodSandbox(api_pb2.ListPodSandboxRequest(), timeout=DEADLINE)
        return list(answer.items)

    def containers(self) -> list[api_pb2.Container]:
        """List all containers."""
        answer = self.runtime.ListContainers(api_pb2.ListContainersRequest(), timeout=DEADLINE)
        return list(answer.containers)

    def wait_exited(self, container_id: str, timeout: float = 60.0) -> api_pb2.ContainerStatus:
        """Poll until a container has exited, and return its last status.

        Raises:
            TimeoutError: it still runs.
        """
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            status = self.status(container_id)
            if status.state == api_pb2.CONTAINER_EXITED:
                return status
            time.sleep(0.02)
        raise TimeoutError(f"container {container_id} did not exit within {timeout} s")

    def remove_everything(self) -> None:
        """Stop and remove every pod, as a drained node would."""
        for pod in self.pods():
            self.seen_ids.add(pod.id)
            self.stop_pod(pod.id)
            self.remove_pod(pod.id)


def answers(address: str) -> bool:
    """Tell whether a runtime answers Version at an address; one that is not there is known at once."""
    with connected(address) as client:
        try:
            return bool(client.version(timeout=30.0).runtime_name)
        except grpc.RpcError:
            return False


@contextmanager
def connected(address: str) -> Iterator[Client]:
    """Give a client and close it afterwards."""
    client = Client(address)
    try:
        yield client
    finally:
        client.close()
