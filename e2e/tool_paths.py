"""Find the programs that tests drive: built ones in the cache, else Debian's.

Answers with paths only; it never builds or installs anything (e2e/setup does).
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent

CRI_TOOLS = "cri-tools-v1.36.0"
RUNC = "runc-v1.5.2"
CNI_PLUGINS = "cni-plugins-v1.9.1"
CONTAINERD = "containerd-v2.4.2"


class MissingTool(RuntimeError):
    """A program that this test needs is not on the machine."""


def cache_directory() -> Path:
    """Return the folder for things that are costly to make, kept outside the work tree."""
    named = os.environ.get("LADING_CACHE")
    return Path(named) if named else Path.home() / ".cache" / "lading"


def built_tool(package: str, program: str) -> Path:
    """Return a program built by e2e/setup/go_tools.sh.

    Raises:
        MissingTool: it was not built yet.
    """
    path = cache_directory() / "go" / package / program
    if not path.is_file():
        name = "crictl" if package == CRI_TOOLS else package.rsplit("-v", 1)[0]
        raise MissingTool(f"{program} is not at {path}; run e2e/setup/go_tools.sh {name}")
    return path


def system_tool(program: str) -> Path:
    """Return a program of the distribution.

    Raises:
        MissingTool: it is not installed.
    """
    found = shutil.which(program, path="/usr/bin:/usr/sbin:/bin:/sbin:/usr/local/bin")
    if found is None:
        raise MissingTool(f"{program} is not installed; run e2e/setup/debian_packages.sh test")
    return Path(found)


def runc() -> Path:
    """Return the newest runc: the built one, else Debian's."""
    built = cache_directory() / "go" / RUNC / "runc"
    return built if built.is_file() else system_tool("runc")


def cni_plugin_directory() -> Path:
    """Return the folder of CNI plugins: the built ones, else Debian's."""
    built = cache_directory() / "go" / CNI_PLUGINS
    packaged = Path("/usr/lib/cni")
    for directory in (built, packaged):
        if (directory / "bridge").is_file():
            return directory
    raise MissingTool(
        f"no CNI plugins in {built} or {packaged}; run e2e/setup/go_tools.sh cni-plugins"
    )
