"""Take programs of this machine into layers: a static busybox, dynamic programs with their
libraries, and small C programs compiled here.

Reads installed files and runs ldd, gcc and busybox; changes nothing on the machine.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path

from e2e.images.layer import Entry, directory, hard_link, regular, symlink
from e2e.tool_paths import REPOSITORY, system_tool

SOURCES = Path(__file__).parent / "sources"
SETUP = REPOSITORY / "e2e" / "setup"

PASSWD = b"""root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
www-data:x:33:33:www-data:/var/www:/bin/false
nobody:x:65534:65534:nobody:/home:/bin/false
"""
GROUP = b"""root:x:0:
daemon:x:1:
www-data:x:33:
users:x:100:
nogroup:x:65534:
"""


def run(*command: str) -> str:
    """Return the output of a program; its failure carries what it said."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def parents_of(paths: set[str]) -> set[str]:
    """Return every directory that the paths need, without the root."""
    return {str(parent) for path in paths for parent in Path(path).parents if str(parent) != "."}


def busybox_program() -> Path:
    """Return the busybox for images; e2e/setup/debian_busybox.sh says why it is not the static one."""
    return Path(run(str(SETUP / "debian_busybox.sh")).strip())


def busybox_entries() -> list[Entry]:
    """Return what belongs around bin/busybox: a hard link per applet, users, the usual folders."""
    binary = busybox_program()
    folders = ["bin", "dev", "etc", "home", "proc", "root", "sys", "usr", "usr/bin", "usr/sbin"]
    entries = [directory(folder) for folder in (*folders, "sbin", "run", "var", "var/www")]
    entries += [directory("tmp", mode=0o1777), symlink("var/run", "/run")]
    for applet in run(str(binary), "--list").split():
        if applet != "busybox":
            entries.append(hard_link(f"bin/{applet}", "bin/busybox"))
    entries += [regular("etc/passwd", PASSWD), regular("etc/group", GROUP)]
    return entries


def ldd_text(program: Path) -> str:
    """Return what ldd says of a program, also when it says that there is nothing to load."""
    done = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def libraries_of(program: Path) -> list[str]:
    """Return the absolute paths of the loader and all libraries a dynamic program needs."""
    return sorted(set(re.findall(r"(/\S+) \(0x", ldd_text(program))))


def dynamic_entries(programs: dict[str, Path]) -> list[Entry]:
    """Return programs at their places in the image, and once each the libraries they load."""
    files = dict(programs)
    for program in programs.values():
        files |= {library.lstrip("/"): Path(library) for library in libraries_of(program)}
    entries = [directory(folder) for folder in sorted(parents_of(set(files)))]
    return entries + [
        regular(place, source.read_bytes(), mode=0o755) for place, source in sorted(files.items())
    ]


def compiled(source_name: str) -> bytes:
    """Return a static program built from `sources/`; two runs of one compiler give equal bytes."""
    with tempfile.TemporaryDirectory(prefix="lading-cc-") as folder:
        target = Path(folder) / "program"
        run(
            str(system_tool("gcc")),
            "-static",
            "-Os",
            "-s",
            "-Wl,--build-id=none",
            "-o",
            str(target),
            str(SOURCES / source_name),
        )
        return target.read_bytes()
