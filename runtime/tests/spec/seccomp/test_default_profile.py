"""The default filter, evaluated call by call as libseccomp would."""

from collections.abc import Mapping

import pytest

from runtime.spec.document import Spec, object_at, objects_at, text_of, texts_at
from runtime.spec.seccomp.allowed_calls import ALWAYS_ALLOWED
from runtime.spec.seccomp.default_profile import default_profile
from runtime.spec.seccomp.gated_calls import GATED, OF_ARCHITECTURE, REFUSED

X86 = ("SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32")
PLAIN = default_profile(X86, frozenset({"CAP_CHOWN"}))
ADMIN = default_profile(X86, frozenset({"CAP_SYS_ADMIN"}))
ALLOWED = 0


def _answer(profile: Spec, call: str, arguments: Mapping[int, int] | None = None) -> object:
    """Return 0 when the call is allowed, else its error number; several answers would be a conflict."""
    answers = {
        _result(rule)
        for rule in objects_at(profile, "syscalls")
        if call in texts_at(rule, "names") and _fits(rule, arguments or {})
    }
    assert len(answers) <= 1, f"{call} has the answers {answers}"
    return answers.pop() if answers else profile["defaultErrnoRet"]


def _result(rule: Spec) -> object:
    return ALLOWED if rule["action"] == "SCMP_ACT_ALLOW" else rule["errnoRet"]


def _fits(rule: Spec, arguments: Mapping[int, int]) -> bool:
    for test in objects_at(rule, "args"):
        index, value, second = test["index"], test["value"], test.get("valueTwo", 0)
        assert isinstance(index, int)
        assert isinstance(value, int)
        given = arguments.get(index, 0)
        holds = {
            "SCMP_CMP_LT": given < value,
            "SCMP_CMP_EQ": given == value,
            "SCMP_CMP_GE": given >= value,
            "SCMP_CMP_MASKED_EQ": given & value == second,
        }
        if not holds[text_of(test["op"])]:
            return False
    return True


@pytest.mark.parametrize(
    ("family", "answer"),
    [
        *((n, ALLOWED) for n in (0, 1, 2, 10, 16, 17, 37, 39, 41, 44, 45)),
        *((n, 1) for n in (38, 40)),
        *((n, 97) for n in (46, 60, 2**31, 38 | 1 << 32, 40 | 1 << 32, 2**64 - 1)),
    ],
)
def test_socket_is_open_but_for_two_families(family: int, answer: int) -> None:
    assert _answer(PLAIN, "socket", {0: family}) == answer
    assert _answer(ADMIN, "socket", {0: family}) == answer


@pytest.mark.parametrize(
    ("flags", "answer"),
    [(0x11, ALLOWED), (0x3D0F00, ALLOWED), (0x80, ALLOWED)]
    + [(flag | 0x11, 1) for flag in (0x20000, 0x2000000, 0x10000000, 0x40000000)]
    + [(0x7E020000, 1)],
)
def test_clone_makes_no_namespaces_without_admin(flags: int, answer: int) -> None:
    assert _answer(PLAIN, "clone", {0: flags}) == answer
    assert _answer(ADMIN, "clone", {0: flags}) == ALLOWED
    s390 = default_profile(("SCMP_ARCH_S390X",), frozenset())
    assert _answer(s390, "clone", {1: flags}) == answer


def test_clone3_is_not_there_without_admin() -> None:
    assert _answer(PLAIN, "clone3") == 38
    assert _answer(ADMIN, "clone3") == ALLOWED


@pytest.mark.parametrize(
    ("persona", "answer"), [(0, 0), (0xFFFFFFFF, 0), (0x20008, 0), (0x40000, 38)]
)
def test_personality_is_one_of_the_usual(persona: int, answer: int) -> None:
    assert _answer(PLAIN, "personality", {0: persona}) == answer


@pytest.mark.parametrize(
    ("gate", "call"), [(gate, call) for gate, calls in GATED.items() for call in calls]
)
def test_capability_opens_its_calls_and_nothing_else_does(gate: str, call: str) -> None:
    others = frozenset(name for name, calls in GATED.items() if call not in calls)
    opened = default_profile(X86, frozenset({gate}))
    closed = default_profile(X86, others)
    assert _answer(opened, call, {0: 0x20000}) == ALLOWED
    assert _answer(closed, call, {0: 0x20000}) == (38 if call == "clone3" else 1)


def test_every_call_has_one_answer() -> None:
    everything = frozenset(GATED)
    for profile in (PLAIN, default_profile(X86, everything)):
        for rule in objects_at(profile, "syscalls"):
            for call in texts_at(rule, "names"):
                _answer(profile, call, {0: 1})


def test_lists_do_not_overlap() -> None:
    gated = {call for calls in GATED.values() for call in calls}
    groups = (set(ALWAYS_ALLOWED), gated, set(REFUSED), {"socket", "personality"})
    assert sum(map(len, groups)) == len(set().union(*groups))


@pytest.mark.parametrize("call", ["io_uring_setup", "keyctl", "socketcall", "userfaultfd"])
def test_dangerous_call_is_refused_with_every_capability(call: str) -> None:
    assert _answer(default_profile(X86, frozenset(GATED)), call) == 1


def test_unknown_call_is_not_there() -> None:
    assert _answer(PLAIN, "call_of_2040") == 38
    assert PLAIN["defaultAction"] == "SCMP_ACT_ERRNO"


@pytest.mark.parametrize("architecture", sorted(OF_ARCHITECTURE))
def test_architecture_has_its_own_calls(architecture: str) -> None:
    profile = default_profile((architecture,), frozenset())
    for call in OF_ARCHITECTURE[architecture]:
        assert _answer(profile, call) == ALLOWED
    assert texts_at(profile, "architectures") == (architecture,)
    assert _answer(PLAIN, "s390_pci_mmio_read") == 38


def test_host_without_known_architecture_still_gets_a_filter() -> None:
    profile = default_profile((), frozenset())
    assert texts_at(profile, "architectures") == ()
    assert _answer(profile, "clone", {0: 0x20000}) == 1


def test_result_is_cached_by_architecture_and_capabilities() -> None:
    assert default_profile(X86, frozenset({"CAP_CHOWN"})) is PLAIN
    assert object_at({"x": PLAIN}, "x") is PLAIN
