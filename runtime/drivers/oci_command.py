"""Call an OCI runtime's verbs and make its failures speak.

Errors come as JSON on stderr (`--log-format=json` without `--log`): the first one is the cause. Knows nothing of
monitors and keeps no state.
"""

import shutil
from contextlib import AbstractContextManager
from pathlib import Path

from runtime.drivers.driver_settings import OciRuntimeSettings
from runtime.drivers.failure_causes import runtime_failure
from runtime.drivers.program import SEARCH_PATH, ProgramResult, Programs
from runtime.drivers.program_times import ProgramTimes, TimedCall
from runtime.errors import DeadlineExceeded, Internal, PodRuntimeError, Unavailable
from runtime.formats.oci_state import OciState, parse_list
from runtime.formats.runtime_log import first_error


def find_program(name: str, subject: str) -> str:
    """Return the absolute path of a program; conmon takes no other for its runtime.

    Raises:
        Unavailable: it is not installed.
    """
    found = shutil.which(name, path=SEARCH_PATH)
    if found is None:
        raise Unavailable(
            subject,
            f"{name} is not installed on system",
            remedy=f"install {Path(name).name} or name its path in the configuration",
            reason="ProgramMissing",
            program=name,
        )
    return found


class OciCommand:
    """One runtime program with its global arguments."""

    def __init__(
        self,
        programs: Programs,
        settings: OciRuntimeSettings,
        *,
        times: ProgramTimes | None = None,
        handler: str = "",
    ) -> None:
        self._times = times or ProgramTimes()
        self._handler = handler
        self._programs = programs
        self._settings = settings
        self.name = Path(settings.program).name
        self._found = ""

    def timed(self, verb: str) -> AbstractContextManager[TimedCall]:
        """Time the block as a call of this verb; `try_call` does so itself."""
        return self._times.timed(self._handler or self.name, verb)

    def program(self, subject: str) -> str:
        """Return the runtime's absolute path.

        Raises:
            Unavailable: it is not installed.
        """
        if not self._found:
            self._found = find_program(self._settings.program, subject)
        return self._found

    def global_arguments(self) -> tuple[str, ...]:
        """Return the arguments that stand before each verb, the log's place excepted."""
        return (
            *self._settings.arguments,
            f"--root={self._settings.root}",
            "--log-format=json",
        )

    async def try_call(
        self, *arguments: str, subject: str, timeout_seconds: float = 0, stdin: bytes = b""
    ) -> ProgramResult:
        """Run a verb and return its result, also when it failed.

        Raises:
            DeadlineExceeded: it did not end in time and was killed.
            Unavailable: the runtime cannot be run.
        """
        limit = timeout_seconds or self._settings.command_timeout_seconds
        systemd = ("--systemd-cgroup",) if self._settings.systemd_cgroup else ()
        with self.timed(arguments[0]) as call:
            result = await self._programs.run(
                (self.program(subject), *self.global_arguments(), *systemd, *arguments),
                timeout_seconds=limit,
                subject=subject,
                stdin=stdin,
            )
            call.outcome = "ok" if result.exit_code == 0 and not result.timed_out else "error"
        if result.timed_out:
            raise DeadlineExceeded(
                subject,
                f"{self.name} {arguments[0]} did not end in {limit:g} s and was killed",
                remedy="look for processes in state D and for a frozen cgroup",
                reason="RuntimeTimeout",
                program=self.name,
                details=result.last_words(),
            )
        return result

    async def call(
        self, *arguments: str, subject: str, timeout_seconds: float = 0, stdin: bytes = b""
    ) -> bytes:
        """Run a verb that must succeed and return what it printed.

        Raises:
            PodRuntimeError: as try_call, or of the class that fits the runtime's first error.
        """
        result = await self.try_call(
            *arguments, subject=subject, timeout_seconds=timeout_seconds, stdin=stdin
        )
        if result.exit_code != 0:
            raise self.failure(result, subject)
        return result.stdout

    async def states(self, *, subject: str) -> tuple[OciState, ...]:
        """Return what the runtime knows below its root.

        Raises:
            PodRuntimeError: it cannot be asked, or answers nonsense.
        """
        if not self._settings.root.is_dir():
            return ()  # made by the runtime with its first container
        answer = await self.call("list", "--format=json", subject=subject)
        try:
            return parse_list(answer)
        except ValueError as error:
            raise Internal(subject, str(error), program=self.name) from error

    def failure(self, result: ProgramResult, subject: str) -> PodRuntimeError:
        """Return the error for a call that failed."""
        said = first_error(result.stderr.decode(errors="replace"))
        return runtime_failure(subject, said, program=self.name, exit_code=result.exit_code)

    def knows(self, id: str) -> bool:
        """Whether the runtime has state of a container: both crun and runc keep it in ROOT/ID."""
        return (self._settings.root / id).is_dir()
