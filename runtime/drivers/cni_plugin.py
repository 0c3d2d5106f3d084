"""Run one CNI plugin once: what it is given, and what its end means (CNI specification, section 2).

Each call has a deadline of its own; a plugin that passes it is killed with its process group. Every failure names
plugin, verb and cause, with the plugin's last words; what it printed is never taken for more than it says.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from runtime.drivers.cni_conf_dir import find_plugin
from runtime.drivers.program import SEARCH_PATH, ProgramResult, Programs
from runtime.drivers.program_times import ProgramTimes
from runtime.errors import DeadlineExceeded, Internal, PodRuntimeError, Unavailable
from runtime.formats.cni_result import CniError, CniResult, parse_error, parse_result

INTERFACE = "eth0"
"""The pod's interface: CRI knows one, and kubelet's statistics expect this name."""

OUTPUT_LIMIT = 1 << 20
_SHOWN = 300
"""Characters of a plugin's text in an error."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PluginCall:
    """One call, complete."""

    plugin: str
    verb: str
    """`ADD`, `DEL`, `CHECK` or `STATUS`."""
    stdin: bytes
    container_id: str = ""
    netns: str = ""
    arguments: str = ""
    """CNI_ARGS."""


class PluginRunner:
    """Runs plugins from the plugin directories."""

    def __init__(
        self,
        programs: Programs,
        directories: Sequence[Path],
        *,
        timeout_seconds: float,
        environment: Mapping[str, str],
        times: ProgramTimes | None = None,
    ) -> None:
        self._programs = programs
        self.directories = tuple(directories)
        self._timeout_seconds = timeout_seconds
        self._environment = environment
        self._times = times or ProgramTimes()

    async def add(self, call: PluginCall) -> CniResult:
        """Run ADD and return its result.

        Raises:
            PodRuntimeError: it failed, was silent, or printed no result.
        """
        with self._times.timed(call.plugin, call.verb):
            ended = await self._run(call)
        try:
            return parse_result(ended.stdout, INTERFACE)
        except ValueError as error:
            raise Internal(
                _subject(call),
                f"its result is not usable: {error}",
                remedy=f"report it to the authors of {call.plugin}",
                reason="CniBadResult",
                program=call.plugin,
                details=_last_words(ended),
            ) from error

    async def perform(self, call: PluginCall) -> None:
        """Run a verb that answers nothing.

        Raises:
            PodRuntimeError: it failed or was silent.
        """
        with self._times.timed(call.plugin, call.verb):
            await self._run(call)

    async def _run(self, call: PluginCall) -> ProgramResult:
        path = find_plugin(call.plugin, self.directories)
        if path is None:
            places = ", ".join(str(directory) for directory in self.directories)
            raise Unavailable(
                _subject(call),
                f"plugin {call.plugin} is not found in {places}",
                remedy="install the CNI plugins",
                reason="CniPluginMissing",
                program=call.plugin,
            )
        start = time.monotonic()
        ended = await self._programs.run(
            [str(path)],
            timeout_seconds=self._timeout_seconds,
            subject=_subject(call),
            stdin=call.stdin,
            env=self._environment_of(call),
            cwd=Path("/"),
            output_limit=OUTPUT_LIMIT,
        )
        if ended.timed_out:
            raise _silent(call, ended, time.monotonic() - start)
        if ended.exit_code != 0:
            raise _failed(call, ended)
        return ended

    def _environment_of(self, call: PluginCall) -> dict[str, str]:
        # Built, never inherited (security rule D7).
        environment = {"PATH": SEARCH_PATH, "LC_ALL": "C", **self._environment}
        environment |= {
            "CNI_COMMAND": call.verb,
            "CNI_PATH": ":".join(str(directory) for directory in self.directories),
        }
        if call.verb != "STATUS":
            environment |= {
                "CNI_CONTAINERID": call.container_id,
                "CNI_NETNS": call.netns,
                "CNI_IFNAME": INTERFACE,
                "CNI_ARGS": call.arguments,
            }
        return environment


def _subject(call: PluginCall) -> str:
    return f"cni {call.plugin} {call.verb}" + (
        f" pod {call.container_id[:12]}" if call.container_id else ""
    )


def _last_words(ended: ProgramResult) -> tuple[str, ...]:
    words = ended.last_words(1)
    return (f'last said "{words[0].strip()[:_SHOWN]}"',) if words else ()


def _silent(call: PluginCall, ended: ProgramResult, seconds: float) -> PodRuntimeError:
    words = _last_words(ended)
    cause = f"{call.plugin} {call.verb} silent for {seconds:.0f} s" + "".join(
        f", {word}" for word in words
    )
    return DeadlineExceeded(
        _subject(call),
        cause,
        remedy=f"see the log of {call.plugin}'s agent on this node",
        reason="CniTimeout",
        program=call.plugin,
    )


def _failed(call: PluginCall, ended: ProgramResult) -> PodRuntimeError:
    told = parse_error(ended.stdout)
    cause = _cause(told, ended)
    return Unavailable(
        _subject(call),
        f"{call.plugin} {call.verb} failed: {cause}",
        reason="CniFailed",
        program=call.plugin,
        exit_code=ended.exit_code,
        details=_last_words(ended) if told else (),
    )


def _cause(told: CniError | None, ended: ProgramResult) -> str:
    if told is None:
        words = ended.last_words(2) or (ended.stdout.decode(errors="replace")[:_SHOWN].strip(),)
        said = "; ".join(word.strip()[:_SHOWN] for word in words if word.strip())
        return f"exit code {ended.exit_code}" + (f', said "{said}"' if said else ", said nothing")
    text = f"{told.message[:_SHOWN]} (code {told.code})"
    return f"{text}: {told.details[:_SHOWN]}" if told.details else text
