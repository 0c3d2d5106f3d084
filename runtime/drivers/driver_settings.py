"""Settings of one handler and the services that all drivers of a daemon share.

Plain values; each limit states its reason. Paths are this instance's own, so that instances never see each other.
"""

from dataclasses import dataclass, field
from pathlib import Path

from runtime.drivers.exit_files import ExitFiles
from runtime.drivers.monitor_cgroup import MonitorCgroup
from runtime.drivers.program import ProgramRunner
from runtime.drivers.program_times import ProgramTimes
from runtime.drivers.reaper import Reaper
from runtime.drivers.supervisor import Supervisor
from runtime.host.cgroup_layout import CgroupLayout


@dataclass(frozen=True, kw_only=True, slots=True)
class OciRuntimeSettings:
    """One handler: which runtime, how it is called."""

    program: str
    """Name or absolute path of the OCI runtime."""
    root: Path
    """The runtime's own state directory (`--root`), below our state directory."""
    arguments: tuple[str, ...] = ()
    """Further global arguments, before the verb."""
    monitor_program: str = "conmon"
    monitor_log_level: str = "warn"
    systemd_cgroup: bool = False
    """Whether cgroupsPath has the systemd form SLICE:PREFIX:NAME."""
    temporary_directory: Path
    """Short path on tmpfs for console sockets: sockaddr_un holds 107 characters."""
    create_timeout_seconds: float = 240.0
    """As the Host Compute Service's and CRI-O's 4 minutes; kubelet gives up on its own before that."""
    start_timeout_seconds: float = 240.0
    command_timeout_seconds: float = 120.0
    """Any other verb; kubelet's own limit for most calls is 2 minutes."""
    max_parallel_starts: int = 16
    """Creates and starts of this handler that run at once: more only contend for the cgroup lock. Per handler, so that
    one whose runtime hangs does not hold up the others."""
    slow_call_seconds: float = 30.0
    monitor_lost_grace_seconds: float = 1.0
    """How long a container whose monitor died may go on before it is killed: its output goes nowhere."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DriverServices:
    """What every driver of the daemon uses; started and stopped by the daemon."""

    reaper: Reaper
    programs: ProgramRunner
    supervisor: Supervisor
    exit_files: ExitFiles
    monitor_cgroup: MonitorCgroup
    cgroups: CgroupLayout
    times: ProgramTimes = field(default_factory=ProgramTimes)
    """Hears of every call of an OCI runtime."""
