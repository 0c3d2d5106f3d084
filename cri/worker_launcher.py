"""Starts pull workers through the daemon's one door for programs, so that its one reaper sees each of them.

Each is started in the workers' own cgroup. Meets `image.pulls.puller.WorkerLauncher`. Knows nothing of what a worker does.
"""

from collections.abc import Mapping, Sequence

from cri.worker_cgroup import WorkerCgroup
from image.errors import Unavailable
from image.pulls.worker_conversation import RunningWorker
from runtime.drivers.program import ProgramRunner, RunningProgram
from runtime.errors import PodRuntimeError


class ProgramWorkerLauncher:
    """Launches workers with a ProgramRunner."""

    def __init__(self, programs: ProgramRunner, cgroup: WorkerCgroup) -> None:
        self._programs = programs
        self._cgroup = cgroup

    async def launch(
        self, argv: Sequence[str], *, env: Mapping[str, str], pass_fds: Sequence[int]
    ) -> RunningWorker:
        """Start a worker.

        Raises:
            Unavailable: it cannot be started; no registry is to blame.
        """
        kills = self._cgroup.memory_kills()
        try:
            program = await self._programs.launch(
                argv, subject="pull worker", env=env, pass_fds=pass_fds, spawner=self._cgroup
            )
        except PodRuntimeError as error:
            raise Unavailable(
                "pull worker", error.cause, remedy=error.remedy, reason="WorkerUnavailable"
            ) from error
        self._cgroup.adopt(program.pid)
        return _Worker(program, self._cgroup, kills)


class _Worker:
    def __init__(self, program: RunningProgram, cgroup: WorkerCgroup, kills: int) -> None:
        self._program = program
        self._cgroup = cgroup
        self._kills = kills

    @property
    def pid(self) -> int:
        return self._program.pid

    async def wait(self) -> int:
        code = await self._program.wait()
        return code if code <= 128 else 128 - code

    def may_have_met_memory_limit(self) -> bool:
        return self._cgroup.memory_kills() > self._kills

    def kill(self) -> None:
        self._program.kill()
