"""Start a private containerd, the peer that conformance and speed are compared with.

Same mirror rules, same CNI configuration, runc as its only handler; every path it is known to
share by default (state, shim sockets, NRI, namespace pins) is moved into the run's own folders.
"""

from __future__ import annotations

from pathlib import Path

from e2e.cni import PodNetwork
from e2e.cri_client import Client, answers
from e2e.daemon import Settings, toml_text
from e2e.images.catalogue import SANDBOX
from e2e.managed_process import ManagedProcess
from e2e.tool_paths import CONTAINERD, built_tool, runc
from e2e.workspace import Workspace


class Containerd:
    """One private containerd."""

    name = "containerd"

    def __init__(self, workspace: Workspace, network: PodNetwork, mirror_rules: Path) -> None:
        """Choose paths and write the configuration; nothing runs yet."""
        self.root = workspace.folder("containerd/root")
        self.state = workspace.memory_folder("containerd/state")
        self.socket = workspace.memory / "containerd" / "cri.sock"
        # containerd allows at most 42 characters here.
        self.shim_sockets = workspace.memory_folder("s")
        self.address = f"unix://{self.socket}"
        self.log = workspace.folder("containerd") / "daemon.log"
        configuration = workspace.folder("containerd") / "config.toml"
        configuration.write_text(toml_text(self.settings(network, mirror_rules)))
        program = built_tool(CONTAINERD, "containerd")
        self.process = ManagedProcess(
            "containerd", [str(program), "--config", str(configuration)], self.log
        )

    def settings(self, network: PodNetwork, rules: Path) -> Settings:
        """Return the configuration in version 4 of containerd's format."""
        runtime = {
            "netns_mounts_under_state_dir": True,
            # Where root lacks CAP_SYS_RESOURCE (build machines), negative scores would be refused.
            "restrict_oom_score_adj": True,
            "containerd": {
                "default_runtime_name": "runc",
                "runtimes": {
                    "runc": {
                        "runtime_type": "io.containerd.runc.v2",
                        "options": {"BinaryName": str(runc())},
                    }
                },
            },
            "cni": {
                "bin_dirs": [str(network.plugins)],
                "conf_dir": str(network.configuration),
            },
        }
        images = {"pinned_images": {"sandbox": SANDBOX}, "registry": {"config_path": str(rules)}}
        plugins = {
            "io.containerd.cri.v1.images": images,
            "io.containerd.cri.v1.runtime": runtime,
            "io.containerd.internal.v1.opt": {"path": str(self.root / "opt")},
            "io.containerd.nri.v1.nri": {"disable": True},
            "io.containerd.server.v1.grpc": {"address": str(self.socket)},
            "io.containerd.server.v1.ttrpc": {"address": f"{self.socket}.ttrpc"},
            "io.containerd.shim.v1.manager": {"socket_dir": str(self.shim_sockets)},
        }
        return {
            "version": 4,
            "root": str(self.root),
            "state": str(self.state),
            "imports": [],
            "plugins": {f"'{name}'": value for name, value in plugins.items()},
        }

    def start(self, timeout: float = 30.0) -> None:
        """Start it and wait for its first CRI answer."""
        self.process.start()
        self.process.wait_ready(lambda: answers(self.address), timeout)

    def stop(self) -> int:
        """End it; its shims, as designed, live until their pods are removed."""
        return self.process.terminate()

    def kill(self) -> None:
        """End it as a crash does."""
        self.process.kill()

    def restart(self, *, crash: bool = False) -> None:
        """End it one way or the other, then start it again."""
        if crash:
            self.kill()
        else:
            self.stop()
        self.start()

    def client(self) -> Client:
        """Return a new client; the caller closes it."""
        return Client(self.address)
