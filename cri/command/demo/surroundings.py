"""Private directories, network and configuration for the demo, and the search for what is left of them.

Everything carries one random name, so that it can be found again; nothing outside is changed.
"""

import json
import os
import secrets
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True, kw_only=True, slots=True)
class Surroundings:
    """Where the demo lives."""

    name: str
    directory: Path
    """Root of everything on disk."""
    state: Path
    """On tmpfs where the machine has one."""
    bridge: str

    @property
    def address(self) -> str:
        """CRI socket of the private daemon."""
        return f"unix://{self.state}/lading.sock"

    @property
    def cgroup(self) -> str:
        """Cgroup of the pod, as the kubelet would give it."""
        return f"/{self.name}"


def make_surroundings(registry: str, cni_bin_dirs: tuple[str, ...], handler: str) -> Surroundings:
    """Create the directories and write the configuration of daemon, registry rule and network."""
    name = f"lading-demo-{secrets.token_hex(3)}"
    directory = Path(tempfile.mkdtemp(prefix=f"{name}-"))
    state = (Path("/run") if os.access("/run", os.W_OK) else directory) / name
    state.mkdir(mode=0o700)
    surroundings = Surroundings(
        name=name, directory=directory, state=state, bridge=f"ldg{name[-6:]}"
    )
    rules = directory / "certs.d" / registry
    rules.mkdir(parents=True)
    (rules / "hosts.toml").write_text(f'server = "http://{registry}"\n')
    _write_network(surroundings)
    (directory / "config.toml").write_text(_settings(surroundings, cni_bin_dirs, handler))
    return surroundings


def _settings(place: Surroundings, cni_bin_dirs: tuple[str, ...], handler: str) -> str:
    return "\n".join(
        [
            f"root = {json.dumps(str(place.directory / 'root'))}",
            f"state = {json.dumps(str(place.state))}",
            "[image]",
            f"registry_config_path = {json.dumps(str(place.directory / 'certs.d'))}",
            "[network]",
            f"cni_conf_dir = {json.dumps(str(place.directory / 'net.d'))}",
            f"cni_bin_dirs = {json.dumps(list(cni_bin_dirs))}",
            "[runtime]",
            f"default_handler = {json.dumps(handler)}",
            "",
        ]
    )


def _write_network(place: Surroundings) -> None:
    second, third = secrets.randbelow(64) + 128, secrets.randbelow(256)
    plugin = {
        "type": "bridge",
        "bridge": place.bridge,
        "isGateway": True,
        "ipam": {
            "type": "host-local",
            "dataDir": str(place.directory / "ipam"),
            "ranges": [[{"subnet": f"10.{second}.{third}.0/24"}]],
        },
    }
    directory = place.directory / "net.d"
    directory.mkdir()
    (directory / "10-demo.conflist").write_text(
        json.dumps({"cniVersion": "0.4.0", "name": place.name, "plugins": [plugin]})
    )


def leftovers(place: Surroundings) -> tuple[str, ...]:
    """Find processes, mounts, network devices, leases, cgroups and bundles that still carry the demo's name."""
    found = [
        f"mount {line.split()[4]}" for line in _lines("/proc/self/mountinfo") if place.name in line
    ]
    found += _processes(place.name)
    if Path("/sys/class/net", place.bridge).exists():
        ports = list(Path("/sys/class/net", place.bridge, "brif").glob("*"))
        found += [f"network device {port.name} on {place.bridge}" for port in ports]
    leases = place.directory / "ipam"
    found += [
        f"address lease {path.name}"
        for path in leases.rglob("[0-9]*.[0-9]*.[0-9]*.[0-9]*")
        if path.is_file()
    ]
    for folder in ("pods", "containers", "ns", "exits"):
        found += [f"state {path}" for path in (place.state / folder).glob("*")]
    found += [
        f"cgroup {path}"
        for path in _cgroups(place.name)
        if any(each.is_dir() for each in path.iterdir())
    ]
    return tuple(found)


def _processes(name: str) -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if name.encode() in command and int(entry.name) != os.getpid():
            found.append(
                f"process {entry.name} {command.replace(bytes(1), b' ').decode(errors='replace')[:80]}"
            )
    return found


def _cgroups(name: str) -> list[Path]:
    return [
        path for pattern in (name, f"*/{name}") for path in _CGROUPS.glob(pattern) if path.is_dir()
    ]


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()


def take_down(place: Surroundings) -> None:
    """Remove the bridge, the pod's cgroup (the kubelet's part) and the directories."""
    if Path("/sys/class/net", place.bridge).exists():
        subprocess.run(["ip", "link", "del", place.bridge], check=False, capture_output=True)
    for path in _cgroups(place.name):
        for inner in sorted(path.rglob("*"), reverse=True):
            if inner.is_dir():
                _remove_empty(inner)
        _remove_empty(path)
    if not any(place.name in line for line in _lines("/proc/self/mountinfo")):
        shutil.rmtree(place.directory, ignore_errors=True)
        shutil.rmtree(place.state, ignore_errors=True)


def _remove_empty(directory: Path) -> None:
    try:
        directory.rmdir()
    except OSError:
        return
