"""The process document of an exec: the container's own process with another command.

User, groups, environment, capabilities and profiles are the container's, by number (security rules D1 and D3): an exec never
has more than the container's first process, and nothing is looked up again. The caller writes it to a file for
`RUNTIME exec --process`.
"""

from collections.abc import Sequence

from runtime.errors import InvalidArgument
from runtime.spec.document import JsonValue, Spec, object_at


def exec_process(
    spec: Spec,
    command: Sequence[str],
    *,
    terminal: bool = False,
    size: tuple[int, int] | None = None,
) -> Spec:
    """Return the process document for a command in a container of this spec; `size` is width and height.

    Raises:
        InvalidArgument: the command is empty.
    """
    if not command or not command[0]:
        raise InvalidArgument("exec", "has no command", remedy="name a program", reason="NoCommand")
    process: dict[str, JsonValue] = {**object_at(spec, "process")}
    process.pop("consoleSize", None)
    process["args"] = list(command)
    process["terminal"] = terminal
    if terminal:
        process["env"] = _with_term(process.get("env"))
        if size is not None:
            process["consoleSize"] = {"width": size[0], "height": size[1]}
    return process


def _with_term(env: JsonValue) -> list[JsonValue]:
    entries = list(env) if isinstance(env, Sequence) and not isinstance(env, str) else []
    if any(isinstance(entry, str) and entry.startswith("TERM=") for entry in entries):
        return entries
    return [*entries, "TERM=xterm"]
