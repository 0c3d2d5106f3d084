"""The demo's surroundings: a configuration the daemon accepts, one name everywhere, leftovers found."""

import json
from pathlib import Path

import pytest

from cri.command.demo import surroundings
from cri.command.demo.surroundings import Surroundings, leftovers
from cri.config_reader import read_configuration


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Surroundings:
    monkeypatch.setattr("tempfile.mkdtemp", lambda prefix: str(_made(tmp_path / prefix)))
    monkeypatch.setattr("os.access", lambda path, mode: False)
    return surroundings.make_surroundings("127.0.0.1:5000", ("/opt/cni/bin",), "runc")


def _made(path: Path) -> Path:
    path.mkdir()
    return path


def test_configuration_is_accepted_and_private(place: Surroundings) -> None:
    configuration = read_configuration(place.directory / "config.toml")
    assert not configuration.findings
    settings = configuration.settings
    assert settings.cri_address == place.address
    assert settings.runtime.default_handler == "runc"
    assert settings.root.startswith(str(place.directory))


def test_network_has_its_own_bridge_and_leases(place: Surroundings) -> None:
    (file,) = (place.directory / "net.d").iterdir()
    plugin = json.loads(file.read_text())["plugins"][0]
    assert plugin["bridge"] == place.bridge
    assert len(place.bridge) <= 15
    assert plugin["ipam"]["dataDir"].startswith(str(place.directory))


def test_leases_and_bundles_that_stay_are_named(place: Surroundings) -> None:
    assert leftovers(place) == ()
    lease = place.directory / "ipam" / place.name / "10.1.2.3"
    lease.parent.mkdir(parents=True)
    lease.write_text("id")
    (place.state / "containers" / "abc").mkdir(parents=True)
    assert leftovers(place) == ("address lease 10.1.2.3", f"state {place.state}/containers/abc")
