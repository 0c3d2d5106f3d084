"""Find out by trying what a runtime without the verb `features` can do with mounts (crun before 1.9, for one).

For each question a container is created and never started: its mounts are made by then, and are looked at from outside.
A refusal counts only when the same container without the mount in question can be created; else nothing is learned.
Removes what it made, whatever happens; a container that a killed daemon left is a leftover of the runtime like others.
"""

import asyncio
import json
import logging
import os
import secrets
import shutil
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from runtime.drivers.driver_settings import DriverServices, OciRuntimeSettings
from runtime.drivers.failure_causes import runtime_failure
from runtime.drivers.oci_command import OciCommand
from runtime.errors import Internal, PodRuntimeError
from runtime.formats.mountinfo import MountEntry, parse_mountinfo
from runtime.formats.runtime_log import first_error
from runtime.spec.document import JsonValue, Spec

TRIAL_SECONDS = 20.0
"""All containers of one trial: 50 to 150 ms each, five at most."""
FINISH_SECONDS = 5.0
"""For a container that is being tried when the trial is given up."""
_FIRST_ID = 1_000_000
_ID_COUNT = 65536
_INSIDE = "/mounted"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class TrialResult:
    """What was found; None where a trial told nothing."""

    recursive_read_only_mounts: bool | None
    id_mapped_mounts: bool | None


class FeatureTrial:
    """Tries one handler's runtime."""

    def __init__(
        self, services: DriverServices, settings: OciRuntimeSettings, command: OciCommand
    ) -> None:
        self._services = services
        self._settings = settings
        self._command = command
        self._subject = f"try features of {command.name}"

    async def run(self, volume: Path) -> TrialResult:
        """Try all. `volume` is a directory to be made and removed, where volumes of pods could lie."""
        found = TrialResult(recursive_read_only_mounts=None, id_mapped_mounts=None)
        try:
            async with asyncio.timeout(TRIAL_SECONDS):  # a runtime that hangs is not waited for
                found = TrialResult(
                    recursive_read_only_mounts=await self._read_only(),
                    id_mapped_mounts=await self._id_mapped(volume),
                )
        except TimeoutError:
            _log.warning("%s: it did not end in %g s", self._subject, TRIAL_SECONDS)
        except (OSError, PodRuntimeError) as error:
            _log.warning("%s: nothing was learned: %s", self._subject, error)
        return found

    async def _read_only(self) -> bool | None:
        source = directory_with_submount(_mounts_of("self"))
        if not source:
            return None
        options: list[JsonValue] = ["rbind", "rprivate", "ro", "rro"]
        mount: Spec = {"destination": _INSIDE, "type": "bind", "source": source, "options": options}
        return await self._answer(mount, {}, lambda pid: all_read_only(_mounts_of(str(pid))))

    async def _id_mapped(self, volume: Path) -> bool | None:
        volume.mkdir(mode=0o755, exist_ok=True)
        try:
            mapping: list[JsonValue] = [
                {"containerID": 0, "hostID": _FIRST_ID, "size": _ID_COUNT},
            ]
            mappings: Spec = {"uidMappings": mapping, "gidMappings": mapping}
            mount: Spec = {
                "destination": _INSIDE,
                "type": "bind",
                "source": str(volume),
                "options": ["rbind", "rprivate"],
                **mappings,
            }
            return await self._answer(mount, mappings, _owner_is_mapped)
        finally:
            volume.rmdir()

    async def _answer(
        self, mount: Spec, mappings: Spec, check: Callable[[int], bool]
    ) -> bool | None:
        found = await _to_its_end(self._try([mount], mappings, check))
        if found is None and await _to_its_end(self._try([], mappings, lambda _: True)):
            return False
        return found

    async def _try(
        self, mounts: list[JsonValue], mappings: Spec, check: Callable[[int], bool]
    ) -> bool | None:
        """Create one container; return what `check` says of it, None when it was refused."""
        try:
            async with self._created(mounts, mappings) as pid:
                return check(pid)
        except (OSError, PodRuntimeError) as error:
            _log.debug("%s: refused: %s", self._subject, error)
            return None

    @asynccontextmanager
    async def _created(self, mounts: list[JsonValue], mappings: Spec) -> AsyncIterator[int]:
        id = secrets.token_hex(32)
        bundle = self._settings.temporary_directory / f"trial-{id[:12]}"
        try:
            _fill(bundle, self._spec(id, mounts, mappings))
            yield await self._create(id, bundle)
        finally:
            if self._command.knows(id):
                await self._command.try_call("delete", "--force", id, subject=self._subject)
            shutil.rmtree(bundle, ignore_errors=True)

    async def _create(self, id: str, bundle: Path) -> int:
        log, pid_file = bundle / "log", bundle / "pid"
        systemd = ("--systemd-cgroup",) if self._settings.systemd_cgroup else ()
        program = await self._services.programs.launch(
            (
                self._command.program(self._subject),
                *self._command.global_arguments(),
                f"--log={log}",
                *systemd,
                *("create", "--bundle", str(bundle), "--pid-file", str(pid_file), id),
            ),
            subject=self._subject,
            cwd=bundle,
        )
        try:
            exit_code = await program.wait()
        finally:
            program.kill()
        if exit_code != 0:
            said = first_error(log.read_text(errors="replace") if log.exists() else "")
            raise runtime_failure(
                self._subject, said, program=self._command.name, exit_code=exit_code
            )
        try:
            return int(pid_file.read_text())
        except (OSError, ValueError) as error:
            raise Internal(self._subject, f"it wrote no pid file: {error}") from error

    def _spec(self, id: str, mounts: list[JsonValue], mappings: Spec) -> Spec:
        kinds = ["pid", "mount", "ipc", "uts", *(["user"] if mappings else [])]
        systemd = self._settings.systemd_cgroup
        return {
            "ociVersion": "1.0.2",
            "process": {
                "user": {"uid": 0, "gid": 0},
                "cwd": "/",
                "args": ["/program"],
                "env": ["PATH=/"],
                "noNewPrivileges": True,
            },
            "root": {"path": "rootfs"},
            "mounts": [
                {"destination": "/proc", "type": "proc", "source": "proc"},
                {"destination": "/dev", "type": "tmpfs", "source": "tmpfs"},
                *mounts,
            ],
            "linux": {
                "namespaces": [{"type": kind} for kind in kinds],
                "cgroupsPath": f":lading:{id}" if systemd else f"/lading-trial-{id}",
                **mappings,
            },
        }


async def _to_its_end(work: Coroutine[None, None, bool | None]) -> bool | None:
    """Do `work` to its end even when this call is cancelled: a runtime that is killed half-way leaves what nobody knows."""
    cancelled: asyncio.CancelledError | None = None
    async with asyncio.TaskGroup() as group:
        task = group.create_task(work, name="trial container")
        while not task.done():
            try:
                await asyncio.shield(task)
            except asyncio.CancelledError as error:
                cancelled = error
                # One that hangs is killed after all.
                asyncio.get_running_loop().call_later(FINISH_SECONDS, task.cancel)
    if cancelled is not None:
        raise cancelled
    return task.result()


def _fill(bundle: Path, spec: Spec) -> None:
    rootfs = bundle / "rootfs"
    for directory in ("proc", "dev", _INSIDE.strip("/")):
        (rootfs / directory).mkdir(parents=True)
    program = rootfs / "program"  # is looked for, and never run
    program.touch()
    program.chmod(0o755)
    (bundle / "config.json").write_text(json.dumps(spec))


def directory_with_submount(entries: tuple[MountEntry, ...]) -> str:
    """Return a directory of the host with a writable mount right below it, empty when there is none."""
    for entry in entries:
        parent = os.path.dirname(entry.mount_point)
        if parent != "/" and "rw" in entry.options and os.path.isdir(entry.mount_point):
            return parent
    return ""


def all_read_only(entries: tuple[MountEntry, ...]) -> bool:
    """Tell whether the mount in question is there with at least one below it, and all of them are read-only."""
    below = [one for one in entries if (one.mount_point + "/").startswith(_INSIDE + "/")]
    return len(below) > 1 and all("ro" in one.options for one in below)


def _owner_is_mapped(pid: int) -> bool:
    return os.stat(f"/proc/{pid}/root{_INSIDE}").st_uid == _FIRST_ID


def _mounts_of(process: str) -> tuple[MountEntry, ...]:
    return parse_mountinfo(Path(f"/proc/{process}/mountinfo").read_bytes())
