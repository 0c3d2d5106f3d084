"""CNI plugins in memory: stands where `ProgramRunner` does and answers as told, by plugin and verb.

Unless told otherwise ADD gives the next address (a later plugin of the chain gives its prevResult back), and every other
verb succeeds. Each call is kept with what the plugin was given. It really looks for nothing: tests make empty files in
a plugin directory, so that plugins are found.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from runtime.drivers.program import DEFAULT_OUTPUT_LIMIT, ProgramResult

Document = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class CniCall:
    """One call of a plugin."""

    plugin: str
    verb: str
    stdin: Document
    env: Mapping[str, str]
    timeout_seconds: float


@dataclass(slots=True)
class Answer:
    """How a plugin ends."""

    exit_code: int = 0
    stdout: str = ""
    stderr: str = ""
    timed_out: bool = False
    wait_for: asyncio.Event | None = None
    """When set, the plugin takes until then."""


@dataclass(slots=True)
class FakeCniPlugins:
    """All plugins of a directory."""

    calls: list[CniCall] = field(default_factory=list)
    answers: dict[tuple[str, str], Answer] = field(default_factory=dict)
    """(plugin, verb) -> answer in place of the default one."""
    taken: dict[str, str] = field(default_factory=dict)
    """container id -> address."""

    def answer(self, plugin: str, verb: str, answer: Answer) -> None:
        """Tell a plugin how to end."""
        self.answers[plugin, verb] = answer

    def fail(self, plugin: str, verb: str, message: str, code: int = 100) -> None:
        """Let a plugin fail with an error object."""
        text = json.dumps({"cniVersion": "1.0.0", "code": code, "msg": message})
        self.answers[plugin, verb] = Answer(exit_code=1, stdout=text, stderr="last line\n")

    def verbs(self) -> list[str]:
        """Return `PLUGIN VERB` of each call in order."""
        return [f"{call.plugin} {call.verb}" for call in self.calls]

    async def run(
        self,
        argv: Sequence[str],
        *,
        timeout_seconds: float,
        subject: str,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        output_limit: int = DEFAULT_OUTPUT_LIMIT,
        pass_fds: Sequence[int] = (),
    ) -> ProgramResult:
        """See Programs."""
        environment = dict(env or {})
        plugin, verb = PurePosixPath(argv[0]).name, environment["CNI_COMMAND"]
        document: Document = json.loads(stdin)
        self.calls.append(CniCall(plugin, verb, document, environment, timeout_seconds))
        told = self.answers.get((plugin, verb))
        if told is None:
            stdout = self._perform(verb, document, environment)
            return ProgramResult(exit_code=0, stdout=stdout.encode(), stderr=b"")
        if told.wait_for is not None:
            await told.wait_for.wait()
        return ProgramResult(
            exit_code=told.exit_code,
            stdout=told.stdout.encode(),
            stderr=told.stderr.encode(),
            timed_out=told.timed_out,
        )

    def _perform(self, verb: str, document: Document, env: Mapping[str, str]) -> str:
        if verb == "DEL":
            self.taken.pop(env["CNI_CONTAINERID"], None)
        if verb != "ADD":
            return ""
        if "prevResult" in document:
            return json.dumps(document["prevResult"])
        used = set(self.taken.values())
        address = next(text for n in range(2, 255) if (text := f"10.88.0.{n}") not in used)
        self.taken[env["CNI_CONTAINERID"]] = address
        interface = {"name": env["CNI_IFNAME"], "sandbox": env["CNI_NETNS"]}
        ips = [{"address": f"{address}/24", "interface": 0}]
        return json.dumps(
            {"cniVersion": document["cniVersion"], "interfaces": [interface], "ips": ips}
        )
