"""What is on this machine before and after a run: processes, mounts, interfaces, cgroups.

For continuous integration, where nothing else works on the machine meanwhile; needs the standard library alone. Looks and
tells, never ends or removes anything. Usage: python3 -m e2e.machine_state save|compare FILE
"""

import json
import os
import sys
import time
from pathlib import Path

OURS = (
    "lading",
    "conmon",
    "crun",
    "runc",
    "containerd",
    "docker-registry",
    "critest",
    "crictl",
    "-m cri",
)
"""Words in the command lines of what tests start; a machine has processes of its own that come and go. What runs in a
container without its monitor is found by its cgroup."""

SETTLE_SECONDS = 60.0
"""The kernel and an exiting daemon free some things a moment after the last test."""


def look() -> dict[str, list[str]]:
    """Return everything that is compared, by kind."""
    return {
        "process": _processes(),
        "mount": [line.split()[4] for line in _text("/proc/self/mountinfo").splitlines()],
        "interface": sorted(os.listdir("/sys/class/net")),
        "cgroup": _cgroups(),
    }


def _processes() -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            started = (entry / "stat").read_text().rpartition(")")[2].split()[19]
        except OSError:
            continue
        if int(entry.name) != os.getpid() and any(word in command for word in OURS):
            found.append(f"{entry.name} started {started}: {command[:120].strip()}")
    return found


def _cgroups() -> list[str]:
    # os.walk passes over what disappears meanwhile.
    return [directory for directory, _, _ in os.walk("/sys/fs/cgroup")]


def _text(path: str) -> str:
    return Path(path).read_text(encoding="utf-8")


def new_since(before: dict[str, list[str]], caller: str) -> list[str]:
    """Return what is here now and was not before, one line each; processes of `caller` are left out."""
    now = look()
    return [
        f"{kind}: {item}"
        for kind, items in now.items()
        for item in sorted(set(items) - set(before.get(kind, [])))
        if not (kind == "process" and caller in item)
    ]


def main(arguments: list[str]) -> int:
    """Save or compare; compare fails when something new is left."""
    if len(arguments) != 2 or arguments[0] not in {"save", "compare"}:
        sys.stderr.write("usage: python3 -m e2e.machine_state save|compare FILE\n")
        return 2
    verb, file = arguments[0], Path(arguments[1])
    if verb == "save":
        file.write_text(json.dumps(look()), encoding="utf-8")
        return 0
    before: dict[str, list[str]] = json.loads(file.read_text(encoding="utf-8"))
    end = time.monotonic() + SETTLE_SECONDS
    while (left := new_since(before, ".ci/run")) and time.monotonic() < end:
        time.sleep(0.5)
    for line in left:
        print(f"left behind: {line}")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
