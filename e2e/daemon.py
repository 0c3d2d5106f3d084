"""Start a private Lading: own root, state, sockets and log; stop, kill and restart it at will.

Drives the daemon as a user does, by its command line and configuration file. LADING_COMMAND names
another way to start it (default: `python -m cri` from this work tree).
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from e2e.cni import PodNetwork
from e2e.cri_client import Client, answers
from e2e.managed_process import ManagedProcess
from e2e.tool_paths import REPOSITORY, MissingTool, runc
from e2e.workspace import Workspace

Settings = dict[str, object]


def lading_command() -> list[str]:
    """Return the words that start Lading, without arguments.

    Raises:
        MissingTool: the daemon is not in this work tree.
    """
    named = os.environ.get("LADING_COMMAND")
    if named:
        return shlex.split(named)
    if not (REPOSITORY / "cri" / "__main__.py").is_file():
        raise MissingTool(f"{REPOSITORY / 'cri'} has no __main__.py; set LADING_COMMAND")
    return [sys.executable, "-m", "cri"]


def handler_paths() -> dict[str, Path]:
    """Return the OCI runtimes of this machine by handler name."""
    found = {"runc": runc()}
    crun = shutil.which("crun")
    if crun:
        found["crun"] = Path(crun)
    return found


def toml_text(settings: Mapping[str, object], prefix: str = "") -> str:
    """Write nested settings as TOML; JSON's strings, numbers, booleans and lists are TOML's too."""
    lines = [
        f"{name} = {json.dumps(value)}"
        for name, value in settings.items()
        if not isinstance(value, dict)
    ]
    text = "\n".join(lines) + "\n"
    for name, value in settings.items():
        if isinstance(value, dict):
            text += f"\n[{prefix}{name}]\n" + toml_text(value, f"{prefix}{name}.")
    return text


class Lading:
    """One private daemon."""

    name = "lading"

    def __init__(
        self,
        workspace: Workspace,
        network: PodNetwork,
        mirror_rules: Path,
        *,
        default_handler: str = "crun",
        instance: str = "lading",
        root: Path | None = None,
    ) -> None:
        """Choose paths and write the configuration; nothing runs yet."""
        self.root = root or workspace.folder(f"{instance}/root")
        self.state = workspace.memory_folder(f"{instance}/state")
        self.socket = workspace.memory / instance / "cri.sock"
        self.address = f"unix://{self.socket}"
        self.admin_socket = workspace.memory / instance / "admin.sock"
        self.settings: Settings = self.base_settings(network, mirror_rules, default_handler)
        self.configuration = workspace.folder(instance) / "config.toml"
        command = [*lading_command(), "serve", "--config", str(self.configuration)]
        self.log = workspace.folder(instance) / "daemon.log"
        self.process = ManagedProcess(instance, command, self.log, directory=REPOSITORY)

    def base_settings(self, network: PodNetwork, rules: Path, default_handler: str) -> Settings:
        """Return the settings of a private instance; tests change them before `start`."""
        handlers = {name: {"path": str(path)} for name, path in handler_paths().items()}
        if default_handler not in handlers:
            raise MissingTool(f"handler {default_handler} has no program on this machine")
        return {
            "root": str(self.root),
            "state": str(self.state),
            "cri": {"address": self.address},
            "streaming": {"address": "127.0.0.1:0"},
            "admin": {"address": f"unix://{self.admin_socket}"},
            "image": {"registry_config_path": str(rules)},
            "network": {
                "cni_conf_dir": str(network.configuration),
                "cni_bin_dirs": [str(network.plugins)],
            },
            "runtime": {
                "default_handler": default_handler,
                "cgroup_driver": "cgroupfs",
                "handlers": handlers,
            },
            "log": {"level": "debug", "format": "text"},
        }

    def section(self, name: str) -> Settings:
        """Return one table of the settings, to be changed before `start`."""
        table = self.settings[name]
        if not isinstance(table, dict):
            raise TypeError(f"setting {name} is not a table")
        return table

    def start(self, timeout: float = 60.0) -> None:
        """Start the daemon and wait for its first answer."""
        self.configuration.write_text(toml_text(self.settings))
        self.process.start()
        self.process.wait_ready(lambda: answers(self.address), timeout)

    def stop(self) -> int:
        """End the daemon as a service manager does; return its exit code."""
        return self.process.terminate()

    def kill(self) -> None:
        """End the daemon as a crash does."""
        self.process.kill()

    def restart(self, *, crash: bool = False) -> None:
        """End the daemon one way or the other, then start it again."""
        if crash:
            self.kill()
        else:
            self.stop()
        self.start()

    def client(self) -> Client:
        """Return a new client; the caller closes it."""
        return Client(self.address)
