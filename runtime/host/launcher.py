"""How the host gets a program run without starting one: a Protocol that `runtime.drivers.program.ProgramRunner` meets.

There is one door for programs in the daemon, and it is above this package; the composition root hands it down.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol


class Ended(Protocol):
    """How a program ended and what it said."""

    @property
    def exit_code(self) -> int:
        """Exit status; 128 + signal number when a signal ended it."""

    @property
    def stdout(self) -> bytes:
        """What it printed."""

    @property
    def stderr(self) -> bytes:
        """What it complained about."""

    @property
    def timed_out(self) -> bool:
        """Whether it was killed at the deadline."""


class Launcher(Protocol):
    """Runs a program to its end."""

    async def run(
        self,
        argv: Sequence[str],
        *,
        timeout_seconds: float,
        subject: str,
        env: Mapping[str, str] | None = None,
    ) -> Ended:
        """Run `argv`; `subject` names the work in errors.

        Raises:
            Unavailable: the program is not installed or cannot be executed.
        """
