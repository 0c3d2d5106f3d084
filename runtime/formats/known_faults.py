"""Published faults of OCI runtimes by version: data, so that a new advisory is a new row.

Promise: a version that is listed is told, a version that cannot be read is not guessed at. Judges the upstream number
alone: a distribution may have mended the same number, which only its own changelog tells (security rule E4).
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownFault:
    """One advisory, or several with the same mended releases."""

    program: str
    ids: str
    """CVE ids, for a search."""
    fixed: tuple[tuple[int, int, int], ...]
    """First good release of each branch that got one, oldest first; older branches stay open, newer ones are good."""
    effect: str
    """What a container or image can do, in a few words."""


KNOWN_FAULTS = (
    KnownFault(
        program="runc",
        ids="CVE-2024-21626",
        fixed=((1, 1, 12),),
        effect="a working directory below /proc/self/fd reaches the host",
    ),
    KnownFault(
        program="runc",
        ids="CVE-2025-31133, CVE-2025-52565, CVE-2025-52881",
        fixed=((1, 2, 8), (1, 3, 3), (1, 4, 0)),
        effect="masked paths, the console and procfs can be swapped for links at set-up",
    ),
    KnownFault(
        program="runc",
        ids="CVE-2026-41579",
        fixed=((1, 3, 6), (1, 4, 4), (1, 5, 0)),
        effect="an image whose /dev is a link makes links in a directory of the host",
    ),
    KnownFault(
        program="crun",
        ids="CVE-2022-27650",
        fixed=((1, 4, 4),),
        effect="exec gives inheritable capabilities",
    ),
)


def faults_of(version: str) -> tuple[KnownFault, ...]:
    """Return the faults that `NAME VERSION`, as `oci_state.parse_version` gives it, is published to have."""
    found = re.match(r"(\w+) v?(\d+)\.(\d+)(?:\.(\d+))?(-(?:rc|beta|alpha))?", version)
    if found is None:
        return ()
    release = (int(found[2]), int(found[3]), int(found[4] or 0))
    before_release = found[5] is not None
    return tuple(
        fault
        for fault in KNOWN_FAULTS
        if fault.program == found[1] and _is_open(fault, release, before_release=before_release)
    )


def _is_open(fault: KnownFault, release: tuple[int, int, int], *, before_release: bool) -> bool:
    for fixed in fault.fixed:
        if fixed[:2] == release[:2]:
            return release < fixed or (release == fixed and before_release)
    return release < fault.fixed[-1]
