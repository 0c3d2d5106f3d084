"""Which capabilities a container's first process has, and the options that set them.

Order, as in containerd and CRI-O: add ALL, drop ALL, single adds, single drops. The default set is containerd's 14 rather
than CRI-O's 9, because it is docker's, which images are tested with (package managers want SYS_CHROOT and MKNOD, `su`
AUDIT_WRITE). Unknown names are errors, as in CRI-O. Nothing goes beyond what the daemon itself holds: ALL means that set,
and a single one that it lacks is left out with a note, since both OCI runtimes refuse the whole container otherwise.
Inheritable and ambient hold what add_ambient_capabilities names and nothing else (security rule D4).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from runtime.errors import InvalidArgument
from runtime.records.security import Capabilities
from runtime.spec.document import Option, Spec, merge, put, texts_at
from runtime.spec.request import HostFacts, SpecRequest

_KNOWN = """
CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE
NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN
SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE
MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE
"""
_DEFAULT = """
CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL
AUDIT_WRITE
"""

ALL_CAPABILITIES = tuple(f"CAP_{name}" for name in _KNOWN.split())
"""All of capabilities(7), in the order of their numbers, to Linux 6.18."""

DEFAULT_CAPABILITIES = tuple(f"CAP_{name}" for name in _DEFAULT.split())
"""What a container gets when nothing is said."""

_PATH = ("process", "capabilities")
_ORDINARY = ("bounding", "effective", "permitted")
_INHERITED = ("inheritable", "ambient")


@dataclass(frozen=True, kw_only=True, slots=True)
class CapabilitySets:
    """The sets of one process."""

    held: tuple[str, ...]
    """Bounding, effective and permitted alike."""
    ambient: tuple[str, ...] = ()
    """Ambient and inheritable alike: the kernel takes no ambient one that is not inheritable."""
    missing: tuple[str, ...] = ()
    """Asked for by name, but the daemon does not hold them."""


def canonical(name: str) -> str:
    """Return a capability's name as the OCI spec has it; `ALL` stays `ALL`."""
    upper = name.upper()
    return upper if upper == "ALL" or upper.startswith("CAP_") else f"CAP_{upper}"


def check_capabilities(subject: str, wanted: Capabilities, host: HostFacts) -> None:
    """Refuse names that no kernel knows.

    Raises:
        InvalidArgument: a name is unknown.
    """
    known = {"ALL", *ALL_CAPABILITIES, *host.known_capabilities}
    for name in (*wanted.add, *wanted.drop, *wanted.add_ambient):
        if canonical(name) not in known:
            raise InvalidArgument(
                subject,
                f"has the unknown capability {name[:64]!r}",
                remedy="use a name of capabilities(7)",
                reason="UnknownCapability",
            )


def capability_sets(wanted: Capabilities, *, privileged: bool, host: HostFacts) -> CapabilitySets:
    """Return the sets for a request; its names were checked before."""
    add = {canonical(name) for name in (*wanted.add, *wanted.add_ambient)}
    drop = {canonical(name) for name in wanted.drop}
    available = set(host.capabilities)
    chosen = set(DEFAULT_CAPABILITIES)
    if "ALL" in add or privileged:
        chosen = set(available)
    if "ALL" in drop and not privileged:
        chosen = set()
    chosen |= add - {"ALL"}
    if not privileged:
        chosen -= drop - {"ALL"}
    ambient = {canonical(name) for name in wanted.add_ambient}
    if "ALL" in ambient:
        ambient = set(available)
    return CapabilitySets(
        held=_ordered(chosen & available),
        ambient=_ordered(ambient & chosen & available),
        missing=_ordered((add & chosen) - available),
    )


def capabilities_of(request: SpecRequest) -> CapabilitySets:
    """Return the sets of a container."""
    security = request.container.security
    return capability_sets(security.capabilities, privileged=security.privileged, host=request.host)


def capability_options(request: SpecRequest) -> tuple[Option, ...]:
    """Return the options for a container's capabilities."""
    sets = capabilities_of(request)
    return (with_capabilities(sets.held), with_ambient_capabilities(sets.ambient))


def capability_notes(request: SpecRequest) -> tuple[str, ...]:
    """Tell which capabilities were left out because the daemon does not hold them."""
    return tuple(
        f"capability {name} was left out: the daemon does not hold it"
        for name in capabilities_of(request).missing
    )


def with_capabilities(names: Iterable[str]) -> Option:
    """Set bounding, effective and permitted to exactly these, and empty the other two sets."""
    exact = list(_unique(names))
    values: Spec = dict.fromkeys(_ORDINARY, exact)
    return lambda spec: put(spec, _PATH, values)


def with_ambient_capabilities(names: Iterable[str]) -> Option:
    """Set ambient and inheritable to exactly these; none leaves both out."""
    exact = list(_unique(names))
    values: Spec = dict.fromkeys(_INHERITED, exact) if exact else {}
    return lambda spec: merge(spec, _PATH, values)


def with_added_capabilities(names: Iterable[str]) -> Option:
    """Add to bounding, effective and permitted; adding twice gives one.

    The inheritable set is left alone, unlike in containerd 1.4 (security rule D4).
    """
    added = tuple(map(canonical, names))
    return _changed(_ORDINARY, lambda held: _unique((*held, *added)))


def with_dropped_capabilities(names: Iterable[str]) -> Option:
    """Remove from every set, duplicates too."""
    dropped = set(map(canonical, names))
    return _changed(
        (*_ORDINARY, *_INHERITED), lambda held: tuple(n for n in held if n not in dropped)
    )


def with_all_capabilities(host: HostFacts) -> Option:
    """Give everything that the daemon itself holds."""
    return with_capabilities(_ordered(host.capabilities))


def with_all_known_capabilities(host: HostFacts) -> Option:
    """Give everything that the kernel knows, held by the daemon or not."""
    return with_capabilities(_ordered(host.known_capabilities))


def _changed(keys: tuple[str, ...], change: Callable[[tuple[str, ...]], tuple[str, ...]]) -> Option:
    def option(spec: Spec) -> Spec:
        for key in keys:
            held = texts_at(spec, *_PATH, key)
            after = change(held)
            if after != held:
                spec = put(spec, (*_PATH, key), list(after))
        return spec

    return option


def _unique(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(map(canonical, names)))


def _ordered(names: Iterable[str]) -> tuple[str, ...]:
    order = {name: number for number, name in enumerate(ALL_CAPABILITIES)}
    return tuple(sorted(names, key=lambda name: (order.get(name, len(order)), name)))
