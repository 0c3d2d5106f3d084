"""The tool that operators use, crictl, does everything it can against Lading."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from e2e.images.catalogue import BUSYBOX, NGINX
from e2e.node import Node
from e2e.registry import free_port
from e2e.tool_paths import CRI_TOOLS, built_tool


class Crictl:
    """crictl against one daemon."""

    def __init__(self, node: Node) -> None:
        """Remember where the daemon is; an empty configuration keeps the machine's own out."""
        self.program = str(built_tool(CRI_TOOLS, "crictl"))
        self.folder = node.session.workspace.folder("crictl")
        configuration = self.folder / "crictl.yaml"
        configuration.write_text(f'runtime-endpoint: "{node.daemon.address}"\ntimeout: 60\n')
        self.start = [self.program, "--config", str(configuration)]

    def run(self, *words: str, fails: bool = False, stdin: str = "") -> str:
        """Return the output of one command."""
        done = subprocess.run(
            [*self.start, *words],
            capture_output=True,
            text=True,
            check=False,
            input=stdin,
            timeout=90,
        )
        assert (done.returncode != 0) == fails, f"crictl {words}: {done.stdout}{done.stderr}"
        return done.stdout + (done.stderr if fails else "")

    def json(self, *words: str) -> dict[str, object]:
        """Return the JSON output of one command."""
        value = json.loads(self.run(words[0], "-o", "json", *words[1:]))
        assert isinstance(value, dict)
        return value

    def write(self, name: str, value: object) -> str:
        """Write a request file and return its path."""
        path = self.folder / name
        path.write_text(json.dumps(value))
        return str(path)

    def pod(self, node: Node, name: str = "crictl-pod") -> tuple[str, str]:
        """Run a pod; return its id and the path of its config."""
        config = {
            "metadata": {"name": name, "uid": f"uid-{name}", "namespace": "tools", "attempt": 1},
            "log_directory": str(node.log_root / name),
            "linux": {"cgroup_parent": node.session.workspace.cgroup_parent},
        }
        path = self.write(f"{name}.json", config)
        pod_id = self.run("runp", path).strip()
        node.client.seen_ids.add(pod_id)
        return pod_id, path

    def container(self, node: Node, pod: tuple[str, str], command: list[str]) -> str:
        """Create and start a container and return its id."""
        config = {
            "metadata": {"name": "tool"},
            "image": {"image": BUSYBOX},
            "command": command,
            "log_path": "tool.log",
            "linux": {},
        }
        path = self.write("container.json", config)
        container_id = self.run("create", pod[0], path, pod[1]).strip()
        node.client.seen_ids.add(container_id)
        self.run("start", container_id)
        return container_id


@pytest.fixture
def crictl(node: Node) -> Crictl:
    """Give crictl for the daemon."""
    return Crictl(node)


def test_version_and_info(crictl: Crictl) -> None:
    assert "v1" in crictl.run("version")
    info = crictl.json("info")
    assert {"status", "runtimeHandlers"} <= set(info)


def test_images_come_and_go(crictl: Crictl) -> None:
    crictl.run("pull", NGINX)
    assert NGINX.split(":")[0] in crictl.run("images")
    assert NGINX in crictl.run("inspecti", NGINX)
    assert "crictl" not in crictl.run("imagefsinfo")
    crictl.run("rmi", NGINX)
    assert NGINX.split(":")[0] not in crictl.run("images")


def test_pod_and_container_life(crictl: Crictl, node: Node) -> None:
    pod = crictl.pod(node)
    container_id = crictl.container(node, pod, ["sh", "-c", "echo hello tool; sleep 1000"])
    assert pod[0][:13] in crictl.run("pods")
    assert container_id[:13] in crictl.run("ps")
    assert crictl.run("exec", "-s", container_id, "echo", "sync").strip() == "sync"
    assert container_id in crictl.run("inspect", container_id)
    assert pod[0] in crictl.run("inspectp", pod[0])
    wait_output(lambda: crictl.run("logs", container_id), "hello tool")
    crictl.run("update", "--memory", str(128 << 20), container_id)
    crictl.run("stop", "-t", "0", container_id)
    assert "Exited" in crictl.run("ps", "-a")
    crictl.run("rm", container_id)
    crictl.run("stopp", pod[0])
    assert "NotReady" in crictl.run("pods")
    crictl.run("rmp", pod[0])
    assert pod[0][:13] not in crictl.run("pods")


@contextmanager
def running(command: list[str], log: Path) -> Iterator[None]:
    """Run a command in the background while the block runs."""
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        yield
    finally:
        process.terminate()
        process.wait(60)


def wait_output(produce: Callable[[], str], text: str) -> None:
    """Poll a command until its output has a text."""
    deadline = time.monotonic() + 60
    output = ""
    while time.monotonic() < deadline:
        output = produce()
        if text in output:
            return
        time.sleep(0.05)
    raise TimeoutError(f"no {text!r} in {output!r}")


def test_stats_of_containers_and_pods(crictl: Crictl, node: Node) -> None:
    pod = crictl.pod(node)
    container_id = crictl.container(node, pod, ["sleep", "1000"])
    assert container_id[:13] in crictl.run("stats", "-a")
    assert pod[0][:13] in crictl.run("statsp")
    assert crictl.json("stats", container_id)["stats"]


@pytest.mark.parametrize("transport", ["spdy", "websocket"])
def test_streaming_exec(crictl: Crictl, node: Node, transport: str) -> None:
    container_id = crictl.container(node, crictl.pod(node), ["sleep", "1000"])
    exec_words = ["exec", "--transport", transport]
    assert crictl.run(*exec_words, container_id, "echo", "streamed") == "streamed\n"
    assert (
        crictl.run(*exec_words, "-i", container_id, "cat", stdin="to and fro\n") == "to and fro\n"
    )
    crictl.run(*exec_words, container_id, "sh", "-c", "exit 3", fails=True)


def test_attach_brings_output_and_takes_input(crictl: Crictl, node: Node) -> None:
    pod = crictl.pod(node)
    config = {
        "metadata": {"name": "attached"},
        "image": {"image": BUSYBOX},
        "command": ["cat"],
        "stdin": True,
        "stdin_once": True,
        "log_path": "attached.log",
        "linux": {},
    }
    path = crictl.write("attached.json", config)
    container_id = crictl.run("create", pod[0], path, pod[1]).strip()
    node.client.seen_ids.add(container_id)
    crictl.run("start", container_id)
    assert "echoed back" in crictl.run("attach", "-i", container_id, stdin="echoed back\n")
    assert node.client.wait_exited(container_id).exit_code == 0


def test_port_forward_reaches_a_server_in_the_pod(crictl: Crictl, node: Node) -> None:
    pod = crictl.pod(node)
    script = "mkdir -p /www; echo forwarded > /www/index.html; httpd -f -p 8080 -h /www"
    container_id = crictl.container(node, pod, ["sh", "-c", script])
    # A connection to a closed port ends the whole session.
    listening = ["exec", "-s", container_id, "netstat", "-ltn"]
    wait_output(lambda: crictl.run(*listening), ":8080 ")
    port = free_port()
    fetch = ["busybox", "wget", "-q", "-O", "-", f"http://127.0.0.1:{port}/"]
    with running([*crictl.start, "port-forward", pod[0], f"{port}:8080"], crictl.folder / "out"):
        wait_output(
            lambda: (
                subprocess.run(
                    fetch, capture_output=True, text=True, check=False, timeout=60
                ).stdout
            ),
            "forwarded",
        )


def test_events_tell_of_a_pod(crictl: Crictl, node: Node) -> None:
    log = crictl.folder / "events.log"
    with running([*crictl.start, "events"], log):
        # Nothing tells from outside that it listens, and events from before are not repeated.
        pod_ids: list[str] = []

        def events_after_one_more_pod() -> str:
            pod_ids.append(crictl.pod(node, f"events-{len(pod_ids)}")[0])
            return log.read_text()

        wait_output(events_after_one_more_pod, "CONTAINER_CREATED_EVENT")
        last = crictl.pod(node, "events-last")[0]
        wait_output(log.read_text, last)


def test_prefixes_of_ids_are_enough(crictl: Crictl, node: Node) -> None:
    pod = crictl.pod(node)
    container_id = crictl.container(node, pod, ["sleep", "1000"])
    assert crictl.run("exec", "-s", container_id[:12], "echo", "short").strip() == "short"
    crictl.run("rmp", "-f", pod[0][:12])


def test_mistakes_are_explained(crictl: Crictl) -> None:
    assert "not" in crictl.run("inspect", "feedfacefeed", fails=True).lower()
    assert "not" in crictl.run("pull", "registry.k8s.io/no/such:image", fails=True).lower()
