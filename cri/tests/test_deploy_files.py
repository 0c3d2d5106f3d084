"""The files in deploy/ agree with the code: a default that changes must change there too."""

import json
from pathlib import Path

from cri.config import Settings
from cri.config_render import default_file

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"


def test_example_configuration_is_what_config_default_prints() -> None:
    assert (DEPLOY / "config.toml").read_text() == default_file(), (
        "run: lading config default > deploy/config.toml"
    )


def test_clients_are_pointed_at_the_default_socket() -> None:
    address = Settings().cri_address
    for name in ("crictl.yaml", "kubelet/10-lading.conf", "kubelet/kubeadm.yaml"):
        assert address in (DEPLOY / name).read_text(), name


def test_example_network_is_valid_json_with_capabilities() -> None:
    network = json.loads((DEPLOY / "cni" / "10-lading.conflist").read_text())
    assert [plugin["type"] for plugin in network["plugins"]] == ["bridge", "portmap", "bandwidth"]


def test_unit_lets_containers_outlive_the_daemon() -> None:
    unit = (DEPLOY / "lading.service").read_text()
    for line in ("Type=notify", "KillMode=process", "Delegate=yes", "RuntimeDirectoryPreserve=yes"):
        assert line in unit
