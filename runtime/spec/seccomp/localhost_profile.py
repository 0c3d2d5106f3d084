"""A Localhost seccomp profile: text of a file in docker's or the OCI's form, turned into `linux.seccomp`.

Docker's form is the OCI's with conditions on top: `archMap`, and rules that hold only with some capabilities, architectures
or kernels (`includes`, `excludes`). They are resolved here for this container and host, as CRI-O does; containerd would
ignore them and make conditional rules hold always. Unknown keys, actions and operators are refused: a filter that is not
understood must not become a wider one.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from runtime.errors import InvalidArgument
from runtime.spec.document import (
    JsonValue,
    Spec,
    is_object,
    list_at,
    object_at,
    objects_at,
    texts_at,
)

MAX_PROFILE = 1024 * 1024
"""Characters of a profile file; docker's default profile has 13 000."""

_SUBJECT = "seccomp profile"

_ACTIONS = frozenset(
    f"SCMP_ACT_{name}"
    for name in ("KILL", "KILL_PROCESS", "KILL_THREAD", "TRAP", "ERRNO", "TRACE", "ALLOW", "LOG")
)
_OPERATORS = frozenset(
    f"SCMP_CMP_{name}" for name in ("NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ")
)
_FLAGS = frozenset(
    f"SECCOMP_FILTER_FLAG_{name}" for name in ("TSYNC", "LOG", "SPEC_ALLOW", "WAIT_KILLABLE_RECV")
)
_TOP_KEYS = frozenset(
    {"defaultAction", "defaultErrnoRet", "architectures", "archMap", "flags", "syscalls"}
)
_RULE_KEYS = frozenset(
    {"names", "name", "action", "errnoRet", "errno", "args", "comment", "includes", "excludes"}
)
_ARGUMENT_KEYS = frozenset({"index", "value", "valueTwo", "op"})
_CONDITION_KEYS = frozenset({"caps", "arches", "minKernel"})

_ARCHITECTURES: Mapping[str, str] = {
    "SCMP_ARCH_X86_64": "amd64",
    "SCMP_ARCH_X86": "x86",
    "SCMP_ARCH_X32": "x32",
    "SCMP_ARCH_ARM": "arm",
    "SCMP_ARCH_AARCH64": "arm64",
    "SCMP_ARCH_PPC64LE": "ppc64le",
    "SCMP_ARCH_S390X": "s390x",
    "SCMP_ARCH_S390": "s390",
    "SCMP_ARCH_RISCV64": "riscv64",
    "SCMP_ARCH_LOONGARCH64": "loong64",
}
"""OCI name -> the name that docker's conditions use."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ProfileContext:
    """What conditions of a profile are decided by."""

    architectures: tuple[str, ...]
    """OCI names, the native one first."""
    capabilities: frozenset[str]
    kernel_release: str = ""

    @property
    def native(self) -> str:
        """The architecture of the host's own programs, empty when it is not known."""
        return self.architectures[0] if self.architectures else ""


def localhost_profile(text: str, context: ProfileContext) -> Spec:
    """Return `linux.seccomp` for the text of a profile file.

    Raises:
        InvalidArgument: the text is no profile, or has parts that are not understood.
    """
    profile = _parsed(text)
    _check_keys(profile, _TOP_KEYS, "the profile")
    result: dict[str, JsonValue] = {
        "defaultAction": _one_of(profile.get("defaultAction"), _ACTIONS, "defaultAction")
    }
    if profile.get("defaultErrnoRet") is not None:
        result["defaultErrnoRet"] = _number(profile["defaultErrnoRet"], "defaultErrnoRet")
    result["architectures"] = _architectures(profile, context)
    flags = [_one_of(flag, _FLAGS, "a flag") for flag in list_at(profile, "flags")]
    if flags:
        result["flags"] = flags
    _require_objects(profile, "syscalls")
    rules = (_rule(entry, context) for entry in objects_at(profile, "syscalls"))
    result["syscalls"] = [rule for rule in rules if rule is not None]
    return result


def _parsed(text: str) -> Spec:
    if len(text) > MAX_PROFILE:
        raise _bad(f"has more than {MAX_PROFILE} characters")
    try:
        document: JsonValue = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _bad("is not JSON") from error
    if not is_object(document):
        raise _bad("is not a JSON object")
    return document


def _architectures(profile: Spec, context: ProfileContext) -> list[JsonValue]:
    named = texts_at(profile, "architectures")
    mapped = objects_at(profile, "archMap")
    if named and mapped:
        raise _bad("has both architectures and archMap")
    if not named and not mapped:
        return list(context.architectures)
    if named:
        return list(named)
    native = context.native
    for entry in mapped:
        if entry.get("architecture") == native:
            return [native, *texts_at(entry, "subArchitectures")]
    return list(context.architectures[:1])


def _rule(entry: Spec, context: ProfileContext) -> Spec | None:
    _check_keys(entry, _RULE_KEYS, "a rule")
    if not _holds(entry, context):
        return None
    names = texts_at(entry, "names") or texts_at({"name": [entry.get("name")]}, "name")
    if not names:
        raise _bad("has a rule without names")
    rule: dict[str, JsonValue] = {
        "names": list(names),
        "action": _one_of(entry.get("action"), _ACTIONS, "an action"),
    }
    if entry.get("errnoRet") is not None:
        rule["errnoRet"] = _number(entry["errnoRet"], "errnoRet")
    _require_objects(entry, "args")
    arguments = [_argument(argument) for argument in objects_at(entry, "args")]
    if arguments:
        rule["args"] = arguments
    return rule


def _argument(entry: Spec) -> Spec:
    _check_keys(entry, _ARGUMENT_KEYS, "an argument")
    result: dict[str, JsonValue] = {
        "index": _number(entry.get("index"), "index"),
        "value": _number(entry.get("value"), "value"),
        "op": _one_of(entry.get("op"), _OPERATORS, "an operator"),
    }
    if entry.get("valueTwo"):
        result["valueTwo"] = _number(entry["valueTwo"], "valueTwo")
    return result


def _holds(entry: Spec, context: ProfileContext) -> bool:
    includes, excludes = object_at(entry, "includes"), object_at(entry, "excludes")
    for condition in (includes, excludes):
        _check_keys(condition, _CONDITION_KEYS, "a condition")
    wanted = texts_at(includes, "caps")
    if any(name not in context.capabilities for name in wanted):
        return False
    if any(name in context.capabilities for name in texts_at(excludes, "caps")):
        return False
    here = _names_of_native(context)
    if texts_at(includes, "arches") and here.isdisjoint(texts_at(includes, "arches")):
        return False
    if not here.isdisjoint(texts_at(excludes, "arches")):
        return False
    return _kernel_fits(includes, excludes, context)


def _kernel_fits(includes: Spec, excludes: Spec, context: ProfileContext) -> bool:
    running = _version(context.kernel_release)
    at_least, below = includes.get("minKernel"), excludes.get("minKernel")
    if isinstance(at_least, str) and at_least and running < _version(at_least):
        return False
    return not (isinstance(below, str) and below and running >= _version(below))


def _names_of_native(context: ProfileContext) -> set[str]:
    native = context.native
    return {native, _ARCHITECTURES.get(native, native)}


def _version(release: str) -> tuple[int, int]:
    found = re.match(r"(\d{1,6})\.(\d{1,6})", release)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _require_objects(entry: Spec, key: str) -> None:
    if len(objects_at(entry, key)) != len(list_at(entry, key)) or (
        entry.get(key) is not None and not isinstance(entry[key], list)
    ):
        raise _bad(f"has {key} that are no list of objects")


def _check_keys(entry: Spec, known: frozenset[str], what: str) -> None:
    unknown = sorted(set(entry) - known)
    if unknown:
        raise _bad(f"has the unknown key {unknown[0][:64]!r} in {what}")


def _one_of(value: JsonValue, known: Iterable[str], what: str) -> str:
    if not isinstance(value, str) or value not in known:
        raise _bad(f"has {what} that is not known")
    return value


def _number(value: JsonValue, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**64:
        raise _bad(f"has {what} that is no number of 64 bits")
    return value


def _bad(cause: str) -> InvalidArgument:
    remedy = "correct the profile file, or use RuntimeDefault"
    return InvalidArgument(_SUBJECT, cause, remedy=remedy, reason="BadSeccompProfile")
