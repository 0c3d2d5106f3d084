"""Find out at start whether a handler's programs work here and what they can do.

Asks for versions and `features`. Of a runtime without that verb nothing is promised: the answer says that it is to be
tried (`feature_trial`), which is done later. Creates no container and never raises for a bad program.
"""

import re

from runtime.drivers.driver import DriverFeatures
from runtime.drivers.driver_settings import OciRuntimeSettings
from runtime.drivers.oci_command import OciCommand, find_program
from runtime.drivers.program import Programs
from runtime.errors import PodRuntimeError
from runtime.formats.oci_state import OciFeatures, parse_features, parse_version
from runtime.host.cgroup_layout import CgroupLayout

_PROBE_SECONDS = 10.0
"""--version takes 3 ms; a program that does not answer in this time is no runtime."""


async def probe_runtime(
    programs: Programs, settings: OciRuntimeSettings, layout: CgroupLayout
) -> DriverFeatures:
    """Return what the handler can do, or why it cannot be used."""
    command = OciCommand(programs, settings)
    subject = f"probe {settings.program}"
    try:
        find_program(settings.monitor_program, subject)
        program = command.program(subject)
        answer = await programs.run(
            (program, "--version"), timeout_seconds=_PROBE_SECONDS, subject=subject
        )
    except PodRuntimeError as error:
        return _unusable("", str(error))
    version, _ = parse_version(answer.stdout.decode(errors="replace"))
    if answer.timed_out or answer.exit_code != 0 or not re.search(r"\d", version):
        words = "; ".join(answer.last_words()) or "no version"
        return _unusable("", f"{program} --version fails: {words}; name an OCI runtime's path")
    is_crun = version.startswith("crun")
    refusal = layout.crun_refusal() if is_crun else ""
    if refusal:
        return _unusable(version, f"cgroups in hybrid mode are not supported by crun: {refusal}")
    found = await _features(programs, program, subject)
    return DriverFeatures(
        version=version,
        recursive_read_only_mounts=found is not None and found.recursive_read_only_mounts,
        user_namespaces=found is not None and found.user_namespaces and found.id_mapped_mounts,
        mount_options=True,
        untried=found is None,
    )


async def _features(programs: Programs, program: str, subject: str) -> OciFeatures | None:
    answer = await programs.run(
        (program, "features"), timeout_seconds=_PROBE_SECONDS, subject=subject
    )
    if answer.exit_code != 0:
        return None
    try:
        return parse_features(answer.stdout)
    except ValueError:
        return None


def _unusable(version: str, reason: str) -> DriverFeatures:
    return DriverFeatures(
        version=version,
        recursive_read_only_mounts=False,
        user_namespaces=False,
        mount_options=False,
        usable=False,
        reason=reason,
    )
