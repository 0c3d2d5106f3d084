"""A private pod network: bridge, portmap and host-local with names, subnet and lease folder of
the run.

Writes the CNI configuration and takes away what the plugins leave on purpose (the bridge, the
firewall chains of this network). Never touches another network's rules.
"""

from __future__ import annotations

import json
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

from e2e.tool_paths import cni_plugin_directory, system_tool
from e2e.workspace import Workspace

SUBNET = "10.213.0.0/16"


@dataclass(frozen=True, kw_only=True)
class PodNetwork:
    """Where the configuration, the leases and the plugins of the run are."""

    name: str
    bridge: str
    configuration: Path
    leases: Path
    plugins: Path

    def lease_files(self) -> set[str]:
        """Return the addresses that are taken now."""
        folder = self.leases / self.name
        if not folder.is_dir():
            return set()
        return {path.name for path in folder.iterdir() if path.name[0].isdigit()}

    def clean(self) -> None:
        """Remove the bridge and this network's firewall rules."""
        delete_rules(self.name)
        subprocess.run(
            [system_tool("ip"), "link", "delete", self.bridge], capture_output=True, check=False
        )


def make_network(workspace: Workspace, plugins: Path | None = None) -> PodNetwork:
    """Write the run's CNI configuration and return the network; interfaces appear with the first pod."""
    network = PodNetwork(
        name=workspace.name,
        bridge=workspace.bridge,
        configuration=workspace.folder("cni/net.d"),
        leases=workspace.memory_folder("cni-leases"),
        plugins=plugins or cni_plugin_directory(),
    )
    path = network.configuration / "10-lading.conflist"
    path.write_text(json.dumps(conflist(network), indent=2))
    return network


def conflist(network: PodNetwork) -> dict[str, object]:
    """Return the list of plugins, as the examples of both peers have it."""
    ipam = {
        "type": "host-local",
        "dataDir": str(network.leases),
        "ranges": [[{"subnet": SUBNET}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    bridge = {
        "type": "bridge",
        "bridge": network.bridge,
        "isGateway": True,
        "ipMasq": True,
        "hairpinMode": True,
        "ipam": ipam,
    }
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "1.0.0", "name": network.name, "plugins": [bridge, portmap]}


def nat_rules() -> list[list[str]]:
    """Return the rules of the nat table as words, as iptables-save prints them."""
    command = [str(system_tool("iptables-save")), "-t", "nat"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return [shlex.split(line) for line in done.stdout.splitlines() if line.startswith("-A ")]


def rules_of(network: str) -> list[list[str]]:
    """Return the nat rules whose comment names this network, as both plugins write it."""
    return [rule for rule in nat_rules() if any(f'name: "{network}"' in word for word in rule)]


def delete_rules(network: str) -> None:
    """Delete the network's rules, then the per-pod chains they jumped to."""
    iptables = [str(system_tool("iptables")), "-w", "-t", "nat"]
    chains = set()
    for rule in rules_of(network):
        target = rule[rule.index("-j") + 1] if "-j" in rule else ""
        if target.startswith("CNI-"):
            chains.add(target)
        subprocess.run([*iptables, "-D", *rule[1:]], capture_output=True, check=False)
    for chain in chains:
        for action in ("-F", "-X"):
            subprocess.run([*iptables, action, chain], capture_output=True, check=False)
