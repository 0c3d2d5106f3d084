"""Turn what a runtime or monitor said into an error that names cause and remedy.

The table maps words of crun 1.8 to 1.28 and runc 1.1 to 1.5 to one sentence each; what it does not know is passed on as
the program said it. Chooses the error class by what the caller should do. Pure: text in, error out.
"""

import re
from dataclasses import dataclass

from runtime.errors import (
    FailedPrecondition,
    Internal,
    InvalidArgument,
    NotFound,
    PodRuntimeError,
    ResourceExhausted,
    Unavailable,
)
from runtime.formats.runtime_log import first_error


@dataclass(frozen=True, kw_only=True, slots=True)
class _Rule:
    """One known failure; {0} in the cause is the first group that matched."""

    pattern: re.Pattern[str]
    error: type[PodRuntimeError]
    cause: str
    remedy: str
    reason: str


def _rule(
    pattern: str, error: type[PodRuntimeError], reason: str, cause: str, remedy: str
) -> _Rule:
    compiled = re.compile(pattern, re.IGNORECASE)
    return _Rule(pattern=compiled, error=error, cause=cause, remedy=remedy, reason=reason)


_LATE = re.compile(
    r"exec (?:container process\b.*|/\S*): (?:no such file or directory|exec format error|permission denied)$",
    re.IGNORECASE,
)
_ENTRYPOINT = "check command and args of the container, and entrypoint and cmd of the image"

_BAD_CWD = "BadWorkingDirectory"
_ABOUT_ENTRYPOINT = ("ProgramNotExecutable", "ExecFormatError")

_RULES = (
    _rule(
        # crun; runc and its kin say "cannot exec in a paused container"
        r"container `[^`]*` is paused|in a paused container",
        FailedPrecondition,
        "Paused",
        "the container is paused",
        "resume it; one that is about to end is paused for a moment, too",
    ),
    _rule(
        r"exec\.fifo`: No such file|cannot start (?:a|an already)",
        FailedPrecondition,
        "WrongState",
        "the container was started before",
        "",
    ),
    _rule(
        r"missing dynamic library\?\) `([^`]*)`|exec ([^\s:]+): no such file",
        InvalidArgument,
        "BadInterpreter",
        "program {0} exists but the interpreter or loader that it names does not",
        'its first line must name a program of the image and end without "\\r" (Windows line'
        " ends), and a dynamic program needs its loader in the image",
    ),
    _rule(
        r"executable file `([^`]*)` not found"
        r'|exec: "([^"]*)": (?:executable file not found|stat .*no such file)',
        InvalidArgument,
        "ProgramNotFound",
        "program {0} is not in the container's root filesystem",
        _ENTRYPOINT,
    ),
    _rule(
        r"(?:exec|process) `?([^\s:`]+)`?: exec format error|exec format error",
        InvalidArgument,
        "ExecFormatError",
        "program {0} is no executable for this machine",
        'an image of another architecture, or a script without a first line "#!..."',
    ),
    _rule(
        r'exec: "([^"]*)": (?:permission denied|is a directory)'
        r"|open executable: (?:permission denied|operation not permitted|is a directory)",
        InvalidArgument,
        "ProgramNotExecutable",
        "program {0} is a directory or has no execute permission",
        _ENTRYPOINT + ", or set the mode in the image",
    ),
    _rule(
        r"cgroups in hybrid mode not supported",
        Unavailable,
        "HybridCgroups",
        "crun refuses cgroup v1 while the cgroup2 mount beside it has controllers",
        "mount each controller of /sys/fs/cgroup/unified/cgroup.controllers on v1, or use runc",
    ),
    _rule(
        r"(?:chdir|mkdir) [`\"]?([^`\":]*)[`\"]?: (?:not a directory|permission denied"
        r"|no such file)|(?:chdir to cwd|setting cwd|cwd).*\(?\"?([^\"):]*)\"?\)?.*"
        r"(?:not a directory|permission denied|no such file)",
        InvalidArgument,
        _BAD_CWD,
        "the working directory {0} cannot be entered or made",
        "check the container's workingDir and the image's, and the user's rights on it",
    ),
    _rule(
        r"(no space left on device)",
        ResourceExhausted,
        "NoSpace",
        "no space is left where the runtime writes",
        "free space on the state and root directories",
    ),
    _rule(
        r"seccomp",
        InvalidArgument,
        "SeccompFailed",
        "the seccomp profile cannot be loaded: {text}",
        "check the profile, or use RuntimeDefault",
    ),
    _rule(
        r"apparmor|/attr/(?:apparmor/)?exec",
        InvalidArgument,
        "AppArmorFailed",
        "the AppArmor profile cannot be applied: {text}",
        "load the profile on this node, or use another",
    ),
    _rule(
        r"capset|apply caps|capabilit",
        InvalidArgument,
        "CapabilityMissing",
        "a capability was asked for that this daemon does not have: {text}",
        "remove it from the container, or give it to the daemon",
    ),
    _rule(
        r"setrlimit|rlimit",
        InvalidArgument,
        "RlimitRefused",
        "a resource limit is above the daemon's own hard limit: {text}",
        "raise the limit of the daemon's service",
    ),
    _rule(
        r"oom_score_adj",
        Unavailable,
        "OomScoreRefused",
        "the OOM score cannot be lowered below the daemon's own: {text}",
        "give the daemon CAP_SYS_RESOURCE, or let it clamp the value",
    ),
    _rule(
        r"cgroup",
        Unavailable,
        "CgroupFailed",
        "the container's cgroup cannot be set up: {text}",
        "check that the cgroup parent exists, its limits, and the cgroup driver setting",
    ),
    _rule(
        r"mount|mkdir|rootfs",
        Internal,
        "MountFailed",
        "a mount of the container failed: {text}",
        "check the source and the target inside the image",
    ),
)


def runtime_failure(
    subject: str,
    said: str,
    *,
    program: str,
    exit_code: int | None = None,
    details: tuple[str, ...] = (),
    entrypoint: str = "",
    cwd: str = "",
) -> PodRuntimeError:
    """Return the error for a failed runtime or monitor that said `said` (its first error).

    `entrypoint` and `cwd` are what was to be run and where, for runtimes that do not name them.
    """
    text = said.strip()
    for rule in _RULES:
        found = rule.pattern.search(text)
        if found is None:
            continue
        named = next((group for group in found.groups() if group), "")
        if rule.reason == _BAD_CWD and cwd and named and named != cwd:
            continue  # the directory of a mount, then
        if rule.reason in _ABOUT_ENTRYPOINT:
            named = named or entrypoint
        cause = rule.cause.replace("{0}", named).replace("{text}", text).replace("  ", " ")
        told = details if "{text}" in rule.cause else (f"{program} said: {text}", *details)
        return rule.error(
            subject,
            cause,
            remedy=rule.remedy,
            reason=rule.reason,
            program=program,
            exit_code=exit_code,
            details=told,
        )
    cause = f"{program} failed: {text}" if text else f"{program} failed without a word"
    return Internal(
        subject,
        cause,
        reason="RuntimeFailed",
        program=program,
        exit_code=exit_code,
        details=details,
    )


def late_failure(output: str) -> str:
    """Return cause and remedy when a container's whole output is the runtime's word that its program cannot run.

    By then the runtime has given up its log, so it writes where the program would (crun as JSON, runc as text). Empty
    for any other output.
    """
    lines = output.splitlines()
    words = lines[0].split(" ", 3) if len(lines) == 1 else []
    if len(words) < 4 or words[1] != "stderr":
        return ""
    said = first_error(words[3])
    if not _LATE.match(said):
        return ""
    error = runtime_failure("", said, program="")
    return f"{error.cause}; {error.remedy}" if error.remedy else error.cause


def missing_program(subject: str, program: str) -> InvalidArgument:
    """Return the error for a command that the container does not have."""
    return InvalidArgument(
        subject,
        f"program {program} is not in the container's root filesystem",
        remedy=_ENTRYPOINT,
        reason="ProgramNotFound",
    )


def not_running(subject: str) -> FailedPrecondition:
    """Return the error for an operation that needs a running container."""
    return FailedPrecondition(subject, "the container is not running", reason="NotRunning")


def unknown_container(subject: str) -> NotFound:
    """Return the error for a container that nothing on this node knows."""
    return NotFound(
        subject,
        "no process, no exit record and no runtime knows this container",
        reason="ContainerUnknown",
    )
