"""The filter that RuntimeDefault means, for the architectures of a host and the capabilities of a container.

Allow-list: what no rule names gets ENOSYS (see `gated_calls`), what is known and refused gets EPERM. Three calls are
decided by argument. `socket` is open but for AF_ALG (38) and AF_VSOCK (40), by ranges over the whole 64 bit argument, since
two `!=` rules on one argument do not combine and a masked comparison would let the upper half smuggle a family in
(security rule D8). `clone` may not make namespaces without SYS_ADMIN, and clone3, whose flags a filter cannot see, is
ENOSYS so that the C library falls back to clone. `personality` may only be asked for or set to the usual ones.

Results are cached by architectures and capabilities: making one takes longer than all the rest of a spec.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache

from runtime.spec.document import JsonValue, Spec
from runtime.spec.seccomp.allowed_calls import ALWAYS_ALLOWED
from runtime.spec.seccomp.gated_calls import GATED, OF_ARCHITECTURE, REFUSED

_EPERM = 1
_ENOSYS = 38
_EAFNOSUPPORT = 97

_AF_ALG = 38
_AF_VSOCK = 40
_AF_END = 46
"""First number that is no address family (AF_MAX of Linux 6.18): kernel bugs of later ones wait for a review."""


_NAMESPACE_FLAGS = (
    0x20000,  # CLONE_NEWNS
    0x2000000,  # CLONE_NEWCGROUP
    0x4000000,  # CLONE_NEWUTS
    0x8000000,  # CLONE_NEWIPC
    0x10000000,  # CLONE_NEWUSER
    0x20000000,  # CLONE_NEWPID
    0x40000000,  # CLONE_NEWNET
)
"""Of clone(2). The bit of CLONE_NEWTIME is part of the exit signal in this call, so it makes no namespace here."""

_PERSONALITIES = (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)
"""Linux, 32 bit Linux, both with UNAME26, and the question which one it is (personality(2))."""

_FLAGS_SECOND = frozenset({"SCMP_ARCH_S390", "SCMP_ARCH_S390X"})
"""Architectures whose clone takes the flags as second argument (clone(2), C library/kernel differences)."""


@lru_cache(maxsize=64)
def default_profile(architectures: tuple[str, ...], capabilities: frozenset[str]) -> Spec:
    """Return `linux.seccomp` for a process with these effective capabilities; the native architecture comes first."""
    opened = _opened(capabilities)
    closed = {call for calls in GATED.values() for call in calls} - opened
    allowed = (*ALWAYS_ALLOWED, *sorted(opened - {"clone", "clone3"}), *_special(architectures))
    rules = [
        _rule(dict.fromkeys(allowed), "SCMP_ACT_ALLOW"),
        _rule((*REFUSED, *sorted(closed - {"clone", "clone3"})), "SCMP_ACT_ERRNO", errno=_EPERM),
        *_socket_rules(),
        *_personality_rules(),
        *_clone_rules(architectures, may_make_namespaces="clone" in opened),
    ]
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": _ENOSYS,
        "architectures": list(architectures),
        "syscalls": rules,
    }


def _opened(capabilities: Iterable[str]) -> set[str]:
    return {call for capability in capabilities for call in GATED.get(capability, ())}


def _special(architectures: Sequence[str]) -> tuple[str, ...]:
    return tuple(call for name in architectures for call in OF_ARCHITECTURE.get(name, ()))


def _socket_rules() -> list[JsonValue]:
    open_families = [_argument(0, "SCMP_CMP_LT", _AF_ALG), _argument(0, "SCMP_CMP_EQ", _AF_ALG + 1)]
    open_families += [_argument(0, "SCMP_CMP_EQ", n) for n in range(_AF_VSOCK + 1, _AF_END)]
    closed = [_argument(0, "SCMP_CMP_EQ", family) for family in (_AF_ALG, _AF_VSOCK)]
    unknown = _argument(0, "SCMP_CMP_GE", _AF_END)
    return [
        *(_rule(["socket"], "SCMP_ACT_ALLOW", argument=a) for a in open_families),
        *(_rule(["socket"], "SCMP_ACT_ERRNO", errno=_EPERM, argument=a) for a in closed),
        _rule(["socket"], "SCMP_ACT_ERRNO", errno=_EAFNOSUPPORT, argument=unknown),
    ]


def _personality_rules() -> list[JsonValue]:
    return [
        _rule(["personality"], "SCMP_ACT_ALLOW", argument=_argument(0, "SCMP_CMP_EQ", persona))
        for persona in _PERSONALITIES
    ]


def _clone_rules(architectures: Sequence[str], *, may_make_namespaces: bool) -> list[JsonValue]:
    if may_make_namespaces:
        return [_rule(["clone", "clone3"], "SCMP_ACT_ALLOW")]
    index = 1 if architectures and architectures[0] in _FLAGS_SECOND else 0
    masked = "SCMP_CMP_MASKED_EQ"
    none_set = _argument(index, masked, sum(_NAMESPACE_FLAGS), 0)
    each_set = (_argument(index, masked, flag, flag) for flag in _NAMESPACE_FLAGS)
    return [
        _rule(["clone"], "SCMP_ACT_ALLOW", argument=none_set),
        *(_rule(["clone"], "SCMP_ACT_ERRNO", errno=_EPERM, argument=flag) for flag in each_set),
        _rule(["clone3"], "SCMP_ACT_ERRNO", errno=_ENOSYS),
    ]


def _argument(index: int, op: str, value: int, value_two: int | None = None) -> Spec:
    argument: Spec = {"index": index, "value": value, "op": op}
    return argument if value_two is None else {**argument, "valueTwo": value_two}


def _rule(
    names: Iterable[str], action: str, *, errno: int | None = None, argument: Spec | None = None
) -> Spec:
    rule: dict[str, JsonValue] = {"names": list(names), "action": action}
    if errno is not None:
        rule["errnoRet"] = errno
    if argument is not None:
        rule["args"] = [argument]
    return rule
