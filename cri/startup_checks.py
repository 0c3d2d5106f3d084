"""What is wrong with this node, in words, and what that means for RuntimeReady and NetworkReady.

Judges facts that others found; touches nothing. A bad finding never keeps the daemon from serving: the kubelet then shows
the reason, which is how an operator learns of it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cri.runtime_service.parts import Condition
from runtime.drivers.driver import DriverFeatures
from runtime.drivers.handler_choice import HandlerChoice
from runtime.drivers.pod_network import NetworkCondition
from runtime.formats.known_faults import faults_of
from runtime.spec.request import HostFacts

RUNTIME_READY = "RuntimeReady"
NETWORK_READY = "NetworkReady"

_NEEDED = ("CAP_SYS_ADMIN", "CAP_NET_ADMIN", "CAP_CHOWN", "CAP_MKNOD", "CAP_SYS_CHROOT", "CAP_KILL")
"""Without these nothing can be mounted, connected, made or ended."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that is not as it should be."""

    reason: str
    """One CamelCase word."""
    cause: str
    remedy: str
    blocks: bool
    """True when no pod can run because of it."""

    def __str__(self) -> str:
        return f"{self.cause}; {self.remedy} [{self.reason}]"


def check_rights(facts: HostFacts, effective_uid: int) -> list[Finding]:
    """Judge what the daemon itself may do."""
    found = []
    if effective_uid != 0:
        found.append(
            Finding(
                reason="NotRoot",
                cause=f"the daemon runs as uid {effective_uid} and cannot make namespaces or mounts",
                remedy="start it as root",
                blocks=True,
            )
        )
    missing = [name for name in _NEEDED if name not in facts.capabilities]
    if missing:
        found.append(
            Finding(
                reason="CapabilityMissing",
                cause=f"the daemon lacks {', '.join(missing)}",
                remedy="give them in the unit or container that starts it",
                blocks=True,
            )
        )
    if not facts.can_lower_oom_score:
        found.append(
            Finding(
                reason="OomScoreClamped",
                cause=f"no process can get an oom_score_adj below the daemon's {facts.oom_score_adj}",
                remedy="give CAP_SYS_RESOURCE; until then lower values are raised to it",
                blocks=False,
            )
        )
    return found


def check_handlers(features: Mapping[str, DriverFeatures], choice: HandlerChoice) -> list[Finding]:
    """Judge the runtime handlers."""
    found = []
    if not choice.name:
        found.append(
            Finding(
                reason="NoUsableHandler",
                cause=choice.reason,
                remedy="install conmon and crun or runc, or set runtime.handlers.NAME.path",
                blocks=True,
            )
        )
        return found
    for name, one in sorted(features.items()):
        if not one.usable:
            found.append(
                Finding(
                    reason="HandlerUnusable",
                    cause=f"handler {name} cannot be used: {one.reason}",
                    remedy=f"mend it or leave it out; {choice.name} is the default",
                    blocks=False,
                )
            )
    return found


def check_known_faults(features: Mapping[str, DriverFeatures]) -> list[Finding]:
    """Tell handlers whose version has published faults (security rule E4)."""
    return [
        Finding(
            reason="KnownFault",
            cause=f"handler {name} is {one.version}, which has {fault.ids}: {fault.effect}",
            remedy="update it, unless your distribution says that its build is mended",
            blocks=False,
        )
        for name, one in sorted(features.items())
        if one.usable
        for fault in faults_of(one.version)
    ]


def check_pause(path: str, is_executable: bool) -> list[Finding]:
    """Judge the pause program."""
    if is_executable:
        return []
    return [
        Finding(
            reason="PauseMissing",
            cause=f"the pause program {path} cannot be executed, so pods cannot share processes",
            remedy="run 'make setup', or set runtime.pause_path",
            blocks=False,
        )
    ]


def check_containers_root(path: str, why_not: str, left_behind: int) -> list[Finding]:
    """Judge a directory of writable layers: `why_not` tells why an overlay cannot stand on it."""
    found = []
    if why_not:
        found.append(
            Finding(
                reason="ContainersRootUnusable",
                cause=f"runtime.containers_root {path} {why_not}",
                remedy="use a filesystem such as ext4 or xfs",
                blocks=True,
            )
        )
    if left_behind:
        found.append(
            Finding(
                reason="WritableLayersLeftBehind",
                cause=f"{left_behind} writable layers are still where they were before runtime.containers_root",
                remedy="remove their pods with the old setting, or delete the directory containers of the root",
                blocks=False,
            )
        )
    return found


def conditions(
    findings: list[Finding], network: Callable[[], NetworkCondition]
) -> Callable[[], tuple[Condition, ...]]:
    """Return what Status asks: the runtime as found at start, the network as it is now."""
    blocking = [one for one in findings if one.blocks]
    if blocking:
        message = "; ".join(str(one) for one in blocking)
        ready = Condition(
            type=RUNTIME_READY, ready=False, reason=blocking[0].reason, message=message
        )
    else:
        ready = Condition(type=RUNTIME_READY, ready=True)

    def ask() -> tuple[Condition, ...]:
        now = network()
        return (
            ready,
            Condition(
                type=NETWORK_READY,
                ready=now.ready,
                reason="" if now.ready else (now.reason or "NetworkPluginNotReady"),
                message="" if now.ready else now.message,
            ),
        )

    return ask
