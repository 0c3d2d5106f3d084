"""What a container's first process runs, where, and with which limits.

The command is composed by docker's rule: a command replaces the image's entrypoint and cmd, arguments alone replace cmd.
Limits are clamped to what this host can give, with a note: without CAP_SYS_RESOURCE a lower oom_score_adj or a higher hard
limit makes both OCI runtimes fail. oomScoreAdj is always written, because a runtime that finds none leaves what it
inherited from its own parents. No rlimit is set unless the handler's settings have one.
"""

from collections.abc import Iterable

from runtime.records.container import ContainerConfig
from runtime.spec.document import Option, Spec, combined, list_at, put, remove_value, set_value
from runtime.spec.image_defaults import ImageDefaults
from runtime.spec.path_text import clean_path
from runtime.spec.request import HostFacts, Rlimit, SpecRequest


def container_args(container: ContainerConfig, image: ImageDefaults) -> tuple[str, ...]:
    """Return the argument vector of a container's first process; empty when neither side names a program."""
    if container.command:
        return (*container.command, *container.args)
    return (*image.entrypoint, *(container.args or image.cmd))


def container_cwd(container: ContainerConfig, image: ImageDefaults) -> str:
    """Return the working directory: the request's, the image's, or the root; a relative one is below the root."""
    return clean_path(container.working_dir or image.working_dir or "/")


def clamped_oom_score_adj(wanted: int, host: HostFacts) -> int:
    """Return the score to write: never below the daemon's own where that cannot be lowered."""
    return wanted if host.can_lower_oom_score else max(wanted, host.oom_score_adj)


def clamped_rlimit(limit: Rlimit, host: HostFacts) -> Rlimit:
    """Return a limit that the daemon may set: hard at most its own, soft at most hard."""
    hard = limit.hard
    if not host.can_raise_rlimits:
        hard = min(hard, host.hard_rlimits.get(limit.type, hard))
    return Rlimit(type=limit.type, soft=min(limit.soft, hard), hard=hard)


def process_options(request: SpecRequest) -> tuple[Option, ...]:
    """Return the options for what a container runs."""
    container, host = request.container, request.host
    rlimits = (clamped_rlimit(limit, host) for limit in request.handler.default_rlimits)
    return (
        with_args(container_args(container, request.image)),
        with_cwd(container_cwd(container, request.image)),
        with_terminal(container.tty),
        with_no_new_privileges(container.security.no_new_privs),
        with_oom_score_adj(clamped_oom_score_adj(container.resources.oom_score_adj, host)),
        with_rlimits(rlimits),
    )


def process_notes(request: SpecRequest) -> tuple[str, ...]:
    """Tell which limits of a container were clamped."""
    host = request.host
    wanted = request.container.resources.oom_score_adj
    given = clamped_oom_score_adj(wanted, host)
    notes = [f"oom_score_adj {wanted} was raised to {given}: the daemon cannot go below its own"]
    return (*(notes if given != wanted else ()), *_rlimit_notes(request))


def _rlimit_notes(request: SpecRequest) -> tuple[str, ...]:
    pairs = (
        (limit, clamped_rlimit(limit, request.host)) for limit in request.handler.default_rlimits
    )
    return tuple(
        f"{wanted.type} {wanted.soft}:{wanted.hard} was lowered to {given.soft}:{given.hard}:"
        " the daemon cannot go beyond its own"
        for wanted, given in pairs
        if given != wanted
    )


def with_args(args: Iterable[str]) -> Option:
    """Set the argument vector."""
    return set_value(("process", "args"), list(args))


def with_cwd(path: str) -> Option:
    """Set the working directory; the OCI runtime makes it if it is missing."""
    return set_value(("process", "cwd"), path)


def with_terminal(terminal: bool = True) -> Option:
    """Run on a terminal, or not."""
    return set_value(("process", "terminal"), terminal)


def with_console_size(width: int, height: int) -> Option:
    """Set the size of the terminal in characters."""
    return set_value(("process", "consoleSize"), {"width": width, "height": height})


def without_console_size() -> Option:
    """Leave the size of the terminal to the runtime."""
    return remove_value(("process", "consoleSize"))


def with_no_new_privileges(forbidden: bool = True) -> Option:
    """Forbid that programs gain privileges by execve (prctl(2), PR_SET_NO_NEW_PRIVS)."""
    return set_value(("process", "noNewPrivileges"), forbidden)


def with_oom_score_adj(score: int) -> Option:
    """Set oom_score_adj (proc(5))."""
    return set_value(("process", "oomScoreAdj"), score)


def with_rlimits(rlimits: Iterable[Rlimit]) -> Option:
    """Set resource limits; a type that was set before is replaced."""
    return combined(*(_with_rlimit(limit) for limit in rlimits))


def _with_rlimit(limit: Rlimit) -> Option:
    entry: Spec = {"type": limit.type, "soft": limit.soft, "hard": limit.hard}

    def option(spec: Spec) -> Spec:
        others = [
            other
            for other in list_at(spec, "process", "rlimits")
            if not (isinstance(other, dict) and other.get("type") == limit.type)
        ]
        return put(spec, ("process", "rlimits"), [*others, entry])

    return option
