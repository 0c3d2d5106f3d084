"""Find the network configuration in a directory, and the plugins that it needs.

The first file by name that is a usable configuration is the network, as with both references: `.conflist`, `.conf` and
`.json` count, anything else is ignored. Files are read up to a limit and never followed into devices. When nothing is
usable, the answer says why, file by file, and what to do.
"""

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from runtime.formats.cni_config import (
    CONFIGURATION_LIMIT,
    NetworkConfiguration,
    parse_configuration,
)

_SUFFIXES = (".conflist", ".conf", ".json")
_SHOWN_PROBLEMS = 3
_FILES_LIMIT = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundNetwork:
    """What a look into the directory gave: a network, or why there is none."""

    network: NetworkConfiguration | None
    source: str = ""
    """The file of the network."""
    problem: str = ""
    """Why there is none, empty when there is one."""
    remedy: str = ""
    ignored: tuple[str, ...] = ()
    """Files that are not usable although there is a network, with the reason; for the log."""


def find_network(directory: Path, plugin_directories: Sequence[Path]) -> FoundNetwork:
    """Look once; blocking, a millisecond for a few small files. Never raises for what is in the directory."""
    try:
        names = sorted(name for name in os.listdir(directory) if name.endswith(_SUFFIXES))
    except OSError as error:
        return _nothing(directory, f": {(error.strerror or str(error)).lower()}")
    problems = []
    for name in names[:_FILES_LIMIT]:
        path = directory / name
        try:
            network = parse_configuration(_read(path))
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            problems.append(f"invalid configuration {path}: {why}")
            continue
        return _with_plugins(network, path, plugin_directories, tuple(problems))
    if not problems:
        return _nothing(directory, "")
    shown = "; ".join(problems[:_SHOWN_PROBLEMS])
    return FoundNetwork(
        network=None, problem=shown, remedy="correct the file", ignored=tuple(problems)
    )


def find_plugin(name: str, directories: Sequence[Path]) -> Path | None:
    """Return the first executable regular file of this plain name."""
    for directory in directories:
        path = directory / name
        try:
            found = os.stat(path)
        except OSError:
            continue
        if stat.S_ISREG(found.st_mode) and os.access(path, os.X_OK):
            return path
    return None


def _nothing(directory: Path, why: str) -> FoundNetwork:
    return FoundNetwork(
        network=None,
        problem=f"no network configuration in {directory}{why}",
        remedy="install the network add-on, or write a configuration list there",
    )


def _with_plugins(
    network: NetworkConfiguration,
    path: Path,
    directories: Sequence[Path],
    ignored: tuple[str, ...],
) -> FoundNetwork:
    missing = [name for name in network.program_names() if find_plugin(name, directories) is None]
    if missing:
        places = ", ".join(str(directory) for directory in directories) or "no directory"
        return FoundNetwork(
            network=None,
            source=str(path),
            problem=f"plugin {missing[0]} of {path} is not found in {places}",
            remedy="install the CNI plugins, or name their directory in the configuration",
            ignored=ignored,
        )
    return FoundNetwork(network=network, source=str(path), ignored=ignored)


def _read(path: Path) -> bytes:
    # NONBLOCK: a FIFO in the directory must not hold the daemon.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("it is not a regular file")
        return file.read(CONFIGURATION_LIMIT + 1)
